# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange

cpdef record(Exchange x)
cpdef observe(Exchange x)
cpdef elapsed_ms(Exchange x, double until_s)
cpdef row_of(Exchange x, object key)
