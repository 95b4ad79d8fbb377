# Compiled: every request passes here.

cimport cython

from gateway.proxy.dialects.endpoints cimport Endpoint, find
from gateway.proxy.drive cimport drive
from gateway.proxy.exchange cimport Exchange, Plane
from gateway.web.connection cimport Connection
from gateway.web.parser cimport Request


cdef class Inference:
    cdef Plane _plane
    cdef object _models

    @cython.locals(x=Exchange, path=bytes, query=bytes, authorization=str, endpoint=Endpoint)
    cpdef serve(self, Connection connection, Request request)


@cython.locals(value=bytes)
cpdef str credential(dict headers, bytes query)
