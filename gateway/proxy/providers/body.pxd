# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange

cpdef request_body(Exchange x, object target)
cpdef rewritten(Exchange x, object target)
