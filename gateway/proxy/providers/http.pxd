# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange
from gateway.proxy.providers.body cimport request_body
