"""C-level interface of the HTTP reader and the relay, for the compiled request path."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from gateway._native.sse cimport StreamMeter


cdef extern from "http1.h" nogil:
    enum:
        H1_TO_CLOSE
        H1_DONE
    ctypedef struct h1_span:
        uint32_t start
        uint32_t len
    ctypedef struct h1_body:
        uint8_t state
        uint8_t digits
        uint64_t overhead
    ctypedef struct h1_answer:
        uint16_t status
        uint8_t keep_alive
        h1_body body


cdef class ResponseReader:
    cdef h1_answer answer
    cdef bytearray partial       # of a head that is not yet whole; None when empty
    cdef int informational
    cdef readonly dict headers
    cdef readonly bint news
    cdef readonly str error
    cpdef start(self)
    cpdef bytes feed(self, bytes data)
    cdef int status_now(self) noexcept
    cdef bytes body_of(self, const uint8_t *p, size_t at, size_t size)
    cdef note_framing(self, bint extra)
    cdef fail(self, str what)
    cdef size_t take_head(self, bytes data) except? 0
    cdef bint read_head(self, const uint8_t *p, size_t length) except -1


cdef class Names:
    cdef tuple names
    cdef uint64_t lengths  # bit n: some name has n bytes
    cdef bytes find(self, const uint8_t *p, h1_span name)


cpdef tuple usual_request(bytes data, Names kept)


cdef bytes framed(bytes data)


cdef class Relay:
    cdef ResponseReader reader
    cdef StreamMeter meter
    cdef object write
    cdef long long reads
    # Of its lane while that is away, else NULL: reads, tokens counted, and the count to come home at
    cdef const uint64_t *carried
    cdef const int64_t *carried_count
    cdef int64_t *carried_stop
    cdef uint64_t carried_before  # how many of the reads were told
    cdef readonly long long grow_at
    cdef bytes told               # what was sent last, unless `sent` is newer
    cdef bytes sent               # the read it stands in
    cdef Py_ssize_t sent_from
    cdef Py_ssize_t sent_size
    cpdef long long take_reads(self)
    cpdef long long counted(self)
    cpdef look_again_at(self, long long tokens)
    cpdef bint feed(self, bytes data) except -1
    cpdef bint is_quiet(self) noexcept
    cpdef bint away(self) noexcept
