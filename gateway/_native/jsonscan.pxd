"""C-level interface of the JSON meter, for the SSE meter (gateway._native.sse)."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from gateway._native.tokens cimport Counter


cdef extern from "jsonscan.h" nogil:
    ctypedef struct js_table:
        pass
    ctypedef struct js_voice:
        void *counter
        int64_t mark
        uint8_t kind
        uint8_t fresh
    ctypedef struct js_buf:
        uint8_t *data
        uint32_t len
        uint8_t overflow
    ctypedef struct js_scan:
        js_buf *kept
        js_voice *voices
        uint32_t voice_count
        uint8_t model_len
        uint8_t tier_len
        uint8_t *model
        uint8_t *tier
        uint16_t seen
        uint8_t output
        uint8_t usage_overflow
        uint8_t failed
        uint64_t usage_events
        uint64_t malformed_events


# What is common to a stream and to a body: the scanner's state, the counters, what was found.
cdef class Meter:
    cdef js_scan scan
    cdef object factory
    cdef list counters
    cdef object failure
    cdef long long reasoned
    cdef object start(self, int dialect, object counter_factory, long max_choices)
    cdef object check(self)
    cdef long long total(self) noexcept
    cdef long long conclude(self) noexcept


cdef class BodyMeter(Meter):
    cdef bint ended
    cdef bint valid
    cpdef feed(self, bytes data)
    cpdef finish(self)
