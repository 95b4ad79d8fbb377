"""C-level interface of the pump, for the compiled request path."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from gateway._native.http1 cimport Relay, h1_body


cdef extern from "pump.h" nogil:
    ctypedef struct pump_thread:
        pass
    ctypedef int (*pump_pass)(void *, const uint8_t *, size_t, size_t *) noexcept nogil
    ctypedef int64_t (*pump_count)(void *) noexcept nogil
    ctypedef struct pump_lane:
        h1_body *body
        pump_pass pass_on "pass"
        pump_count count
        void *meter
        void *owner
        int provider "from"
        int client "to"
        int elsewhere
        int64_t stop_at
        int why
        int code
        size_t used
        uint8_t *left
        size_t unsent
        size_t piece
        size_t rest
        uint8_t extra
        uint8_t broken
        uint8_t *last
        uint32_t last_size
        uint64_t reads
        int64_t counted


cdef class Pump:
    cdef pump_thread *handle
    cdef int loop_epoll
    cdef void enter(self) noexcept


cdef class Lane:
    cdef pump_lane lane
    cdef Pump pump
    cdef Relay relay
    cdef readonly object owner
    cdef readonly bint away
    cdef bint returned  # it came home of itself, and its pump has given it
    cpdef bint start(self, int provider, int client) except -1
    cpdef take(self)
    cpdef bytes settle(self)
