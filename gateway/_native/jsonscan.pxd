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
    cdef bint lent             # another thread feeds it; only `lend(False)` may touch it until then
    cdef object start(self, int dialect, object counter_factory, long max_choices)
    cdef object check(self)
    cdef long long total(self) noexcept nogil
    cdef long long conclude(self) noexcept
    cdef bint may_lend(self) noexcept
    cdef void lend(self, bint away) noexcept


cdef class BodyMeter(Meter):
    cdef bint ended
    cdef bint valid
    cpdef feed(self, bytes data)
    cpdef finish(self)


cdef extern from "request.h":
    ctypedef struct rq_span:
        size_t start
        size_t end
    ctypedef void (*rq_text_fn)(void *, const uint8_t *, size_t) noexcept
    ctypedef struct rq_scan:
        rq_text_fn text
        rq_text_fn cut
        rq_text_fn rest
        void *context
        rq_span span[51]
        int duplicate
        size_t brace
        size_t error_at
        const char *error
        uint64_t text_bytes
        uint64_t media_bytes
        uint32_t media_parts
        int watched
        int references
        int caches
        uint32_t messages
        uint32_t tools


cdef struct heard_text:  # the prompt's text, a cut after each string; NULL: not kept, or counted
    uint8_t *data
    size_t size


cdef class RequestScan:
    cdef rq_scan scan
    cdef heard_text heard
    cdef readonly bint watched, references, caches
    cpdef object span(self, int number)
    cpdef bint count(self, Counter counter) except -1
    cpdef bint valid(self) except -1
    cdef object at(self, const char *name, bint inside=*)


cpdef RequestScan scan_request(bytes body, Counter count_into=*, bint keep_text=*)
cpdef tuple usual_usage(bytes raw)
