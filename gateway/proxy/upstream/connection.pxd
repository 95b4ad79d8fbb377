# Compiled: each read from a provider comes through here.

from gateway._native.http1 cimport Relay, ResponseReader
from gateway._native.pump cimport Lane


cdef class UpstreamConnection:
    cdef public object on_idle, on_lost, transport
    cdef public bint closed, reused, started
    cdef public double idle_since
    cdef bint _paused, _told
    cdef object _receiver
    cdef Relay _relay
    cdef Lane _lane
    cdef int _descriptor
    cdef ResponseReader _reader
    cdef object __weakref__

    cpdef request(self, object data, object receiver)
    cpdef abandon(self)
    cpdef relay(self, object meter, object write, object grow_at, object last)
    cpdef stop_relay(self)
    cpdef send_away(self, object pump, object client)
    cpdef come_home(self)
    cdef _decide(self, Relay relay, object data)
    cpdef close(self)
    cpdef pause(self)
    cpdef resume(self)
    cpdef data_received(self, bytes data)
    cdef _finish(self, object receiver)
    cdef _fail(self, object error)
