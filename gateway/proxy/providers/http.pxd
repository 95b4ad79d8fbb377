# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange
from gateway.proxy.providers.body cimport request_body


cdef class HttpUpstream:
    cdef readonly object provider
    cdef object _pool, _origin
    cdef dict _heads

    cpdef path(self, Exchange x, object target)
    cpdef lines(self, Exchange x)
    cpdef take_idle(self)
    cpdef request(self, Exchange x, object target)
