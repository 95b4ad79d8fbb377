# Compiled: every request passes here.

from gateway.proxy.dialects.endpoints cimport Endpoint
from gateway.proxy.exchange cimport Exchange
from gateway.proxy.providers.http cimport HttpUpstream

cpdef str versionless(Endpoint wire)


cdef class OpenAIUpstream(HttpUpstream):
    cpdef path(self, Exchange x, object target)
    cpdef lines(self, Exchange x)
