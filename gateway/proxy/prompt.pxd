# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange

cpdef count_prompt(Exchange x)
