# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange

cpdef stream_headers(Exchange exchange)
cpdef extra_headers(Exchange exchange)
