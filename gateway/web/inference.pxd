# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange
