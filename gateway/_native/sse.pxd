"""C-level interface of the stream meter, for the relay and the compiled request path."""

from libc.stdint cimport uint8_t, uint64_t

from gateway._native.jsonscan cimport Meter


cdef extern from "sse.h" nogil:
    ctypedef struct sse_scan:
        uint64_t carry
        uint64_t event_len
        uint64_t back
        uint64_t events
        uint8_t ending
        uint8_t done


cdef enum:
    PASSED = -1  # of pass_on


cdef class StreamMeter(Meter):
    cdef sse_scan events_scan
    cdef uint64_t max_event
    cdef bytearray withheld      # an undecided event's bytes, or the end's; None when empty
    cdef Py_ssize_t tail_room    # bytes that may still be kept after the terminal event
    cdef readonly bint too_large
    cdef readonly bint truncated
    cdef public object scrub     # what bytes go through once an error was reported, or None
    cpdef bytes feed(self, bytes data)
    cdef bint is_plain(self, size_t size) noexcept nogil
    cdef int pass_on(self, const uint8_t *p, size_t size, size_t *used) noexcept nogil
    cdef bytes go_on(self, bytes data, int code, size_t at)
    cdef bytes clean(self, bytes data)
    cdef object close_feed(self, bytearray out, const uint8_t *p, Py_ssize_t start, Py_ssize_t size)
    cdef object withhold(self, const uint8_t *p, Py_ssize_t start, Py_ssize_t end)
    cdef object emit(self, bytearray out, const uint8_t *p, Py_ssize_t start, Py_ssize_t end)
    cdef object keep_tail(self, bytes data, Py_ssize_t start)
