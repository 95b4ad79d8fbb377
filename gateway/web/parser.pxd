# Compiled: reads every request.

cdef class RequestParser:
    cdef object _parser, _allowed_hosts, _expect, _usual, _headers, _target, _body, _small, _rest
    cdef long long _max_body_bytes, _awaited_bytes, _no_body_bytes
    cdef long _header_count
    cdef bint _keep_alive
    cdef readonly object requests
    cdef public object error
    cdef readonly long long head_bytes, body_bytes
    cdef readonly bint partial, in_body

    cdef _clear(self)
    cpdef feed(self, bytes data)
    cdef bint _begin_usual(self, bytes data) except -1
    cdef _go_on_usual(self, bytes data)
    cdef _refuse(self, object error)
    cdef _keep(self, object body)
    cdef _whole_body(self)
