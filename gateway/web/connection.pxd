# Compiled: each read from a client, and each write to one, comes through here.

from gateway.platform.keys.ring cimport Recall
from gateway.web.parser cimport Request, RequestParser


cdef class Connection:
    cdef object _server, _console, _exchange, _backlog, _head
    cdef public object transport, address, task
    cdef public bint closed
    cdef readonly Recall recall
    cdef RequestParser _parser
    cdef int _state
    cdef bint _keep_alive, _chunked, _head_only
    cdef double _paused_since_s, _reading_since_s, _deadline_s
    cdef long long _paused_at_bytes
    cdef object __weakref__

    cpdef data_received(self, bytes data)
    cdef _keep(self, bytes data)
    cdef bytes _put_off(self, bytes data)
    cpdef check(self, double now_s)
    cpdef stop(self)
    cdef bint _begin(self, bytes data) except -1
    cdef _start_reading(self)
    cdef _next(self)
    cdef _hand_to_console(self, object begun)
    cdef _keep_behind(self, bytes data)
    cpdef carry(self, object exchange)
    cpdef respond(self, object status, object headers, object body)
    cpdef start(self, object status, object headers)
    cpdef send(self, object data)
    cpdef chunks(self)
    cpdef end(self, object tail)
    cpdef abort(self)
    cdef _close(self)
    cdef bytes _common(self)
    cdef _finish(self)
    cdef _rest(self)
    cdef _fail(self, object error)
