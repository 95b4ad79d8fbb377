# Compiled: each read of an answer comes through here.

from gateway._native.http1 cimport Relay
from gateway.proxy.exchange cimport Exchange
from gateway.proxy.routing.router cimport Step


cdef class Attempt:
    cdef public Exchange exchange
    cdef public object wire, done
    cdef public Step step
    cdef public object meter, body_meter  # native ones, or those of media
    cdef public object error, headers, collected, translation, inside
    cdef public long status
    cdef public bint streaming, gone, over, draining, paused
    cdef object _send, _metering, _held, _decoder, _last, _last_checked
    cdef double _started_s, _progress_s
    cdef long long _grow_at, _held_bytes, _limit_bytes, _collected_bytes, _drained_bytes
    cdef long long _reads, _checked_reads, _left_at_reads
    cdef int _trips
    cdef readonly Relay relay  # while the stream is carried
    cdef object _outlet
    cdef object __weakref__

    cpdef head(self, object status, object headers)
    cdef _begin_stream(self)
    cpdef begin(self)
    cpdef show(self)
    cpdef answered(self)
    cpdef data(self, object data)
    cdef _pass(self, object data)
    cpdef relayed(self)
    cpdef send_away(self)
    cdef _weigh(self, object meter)
    cdef _hold(self, object meter, object out)
    cdef _grow(self, object meter)
    cdef _collect(self, object data)
    cdef _decode(self, object data)
    cpdef ended(self)
    cpdef failed(self, object error)
    cpdef stop(self, object error)
    cpdef client_gone(self)
    cpdef pause(self)
    cpdef resume(self)
    cpdef check(self, double now_s)
    cdef _take_stock(self, double now_s)
    cdef _keep_alive(self, double now_s, double interval_s)
    cpdef body(self)
