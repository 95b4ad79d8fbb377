# Compiled: reads every request.

cimport cython

from gateway._native.http1 cimport Names, usual_request


cdef class Request:
    cdef readonly bytes method, target
    cdef readonly dict headers
    cdef public bytes body
    cdef readonly bint keep_alive, chunked


cdef class RequestParser:
    cdef object _parser, _allowed_hosts, _expect, _target, _body, _small, _rest, _host
    cdef dict _headers
    cdef Request _usual
    cdef long long _max_body_bytes, _awaited_bytes, _no_body_bytes
    cdef long _header_count, _header_bytes
    cdef bint _keep_alive
    cdef readonly object requests
    cdef public object error
    cdef readonly long long head_bytes, body_bytes
    cdef readonly bint partial, in_body

    cdef _clear(self)
    cpdef feed(self, bytes data)
    cpdef bint is_strict(self, bytes data)
    @cython.locals(length=cython.longlong, head_length=cython.longlong, body=bytes, request=Request)
    cdef bint _begin_usual(self, bytes data) except -1
    @cython.locals(missing=cython.longlong, piece=bytes, rest=bytes, request=Request)
    cdef bytes _go_on_usual(self, bytes data)
    cdef _refuse(self, object error)
    cdef _keep(self, bytes body)
    cdef bytes _whole_body(self)
