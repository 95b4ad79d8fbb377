# distutils: sources = native/c/sse.c native/c/jsonscan.c native/c/jsontext.c native/c/jsonpath.c
"""Meters a provider's event stream as it passes and says which bytes the client gets now.

The bytes forwarded and withheld are the upstream's own, in order, less removed usage events. In
the common case, whole events of which none is special, feed() returns its argument itself. What is
withheld is bounded: 16 KiB of an undecided event, or the terminal event (up to the event limit) and
64 KiB after it. It must know nothing of sockets, prices or HTTP; the rules of the wire are in
native/c/sse.c and native/c/jsonpath.c.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t

from gateway._native.jsonscan cimport Meter, js_scan


cdef extern from "jsonpath.h" nogil:
    enum:
        JS_CHAT
        JS_COMPLETIONS
        JS_RESPONSES
        JS_ANTHROPIC
        JS_GEMINI
        JS_CONVERSE
        JS_ERROR


cdef extern from "sse.h" nogil:
    enum:
        SSE_MORE
        SSE_REMOVED
        SSE_LF
        SSE_ENDING
        SSE_DONE
    void sse_init(sse_scan *, js_scan *, int remove_usage)
    int sse_feed(sse_scan *, const uint8_t *, size_t, size_t *used)
    int sse_must_hold(const sse_scan *)
    int sse_finish(sse_scan *)


# Bytes kept after the terminal event; an upstream that goes on sending gets no more memory.
cdef enum:
    TAIL_MAX = 65536

cdef dict DIALECTS = {
    "chat": JS_CHAT,
    "completions": JS_COMPLETIONS,
    "responses": JS_RESPONSES,
    "anthropic": JS_ANTHROPIC,
    "gemini": JS_GEMINI,
    "converse": JS_CONVERSE,
}


cdef class StreamMeter(Meter):
    """Meters one streamed answer; see sse.pyi for the whole contract."""

    def __init__(
        self, str dialect not None, counter_factory, *, bint remove_usage,
        uint64_t max_event_bytes=16 * 1024 * 1024, int max_choices=128,
    ):
        if dialect not in DIALECTS:
            raise ValueError(f"unknown dialect: {dialect!r}")
        if max_event_bytes < 1:
            raise ValueError("max_event_bytes must be at least 1")
        if self.factory is not None:
            raise RuntimeError("a meter meters one answer")
        self.start(DIALECTS[dialect], counter_factory, max_choices)
        sse_init(&self.events_scan, &self.scan, remove_usage)
        self.max_event = max_event_bytes
        self.tail_room = TAIL_MAX

    cpdef bytes feed(self, bytes data):
        if data is None:
            raise TypeError("bytes are needed")
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef size_t size = PyBytes_GET_SIZE(data), used = 0
        cdef int code
        if size == 0 or self.too_large:
            return None
        if self.events_scan.done:
            self.keep_tail(data, 0)
            return None
        if not self.is_plain(size):
            return self.go_on(data, SSE_MORE, 0)
        code = self.pass_on(p, size, &used)
        return data if code == PASSED else self.go_on(data, code, used)

    # Nothing is held, nothing special is going on, and no event can grow too large.
    cdef bint is_plain(self, size_t size) noexcept nogil:
        return (
            self.withheld is None
            and not self.events_scan.ending
            and not self.too_large
            and self.events_scan.carry + size <= self.max_event
        )

    # Reads on from a plain state. PASSED where all of it goes to the client as it came; else the
    # code and how much was used, for `go_on` with the same bytes.
    cdef int pass_on(self, const uint8_t *p, size_t size, size_t *used) noexcept nogil:
        cdef int code = sse_feed(&self.events_scan, p, size, used)
        if code != SSE_MORE or sse_must_hold(&self.events_scan):
            return code
        if self.failure is not None or self.scan.failed:
            return code  # `go_on` raises it
        # The words of an error may have to be cleaned.
        return code if self.scrub is not None and self.scan.kept[JS_ERROR].len else PASSED

    # The rest of a feed, from a code and a position on.
    cdef bytes go_on(self, bytes data, int code, size_t at):
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef size_t size = PyBytes_GET_SIZE(data), used = 0, limit
        cdef Py_ssize_t start = 0, cut
        cdef bytearray out = bytearray()
        while True:
            if code == SSE_REMOVED:
                cut = <Py_ssize_t>at - <Py_ssize_t>self.events_scan.event_len
                if cut < 0:
                    # What was held is the beginning of the removed event.
                    self.withheld = None
                else:
                    self.emit(out, p, start, cut)
                start = at
            elif code == SSE_LF:
                start = at
            elif code == SSE_ENDING:
                cut = <Py_ssize_t>at - <Py_ssize_t>self.events_scan.back
                if cut >= start:
                    self.emit(out, p, start, cut)
                    start = cut
            elif code == SSE_DONE:
                self.withhold(p, start, at)
                self.keep_tail(data, at)
                start = size
                break
            if at == size:
                break
            limit = self.max_event - self.events_scan.carry
            if limit == 0:
                self.too_large = True
                size = at
                break
            limit = min(limit, size - at)
            code = sse_feed(&self.events_scan, p + at, limit, &used)
            at += used
        self.close_feed(out, p, start, size)
        self.check()
        return self.clean(bytes(out)) if out else None

    # What may be shown of a stream that reported an error: the provider's words may name its keys.
    cdef bytes clean(self, bytes data):
        if self.scrub is None or self.scan.kept[JS_ERROR].len == 0:
            return data
        return self.scrub(data)

    # Bytes from `start` on go to the client or, while their event is undecided, are withheld.
    cdef object close_feed(
        self, bytearray out, const uint8_t *p, Py_ssize_t start, Py_ssize_t size
    ):
        cdef Py_ssize_t cut = size
        if self.events_scan.ending:
            cut = start
        elif sse_must_hold(&self.events_scan):
            cut = size - <Py_ssize_t>self.events_scan.carry
        if cut >= 0 and not self.events_scan.ending:
            self.emit(out, p, start, cut)
            start = cut
        self.withhold(p, start, size)

    cdef object withhold(self, const uint8_t *p, Py_ssize_t start, Py_ssize_t end):
        if start < end:
            if self.withheld is None:
                self.withheld = bytearray()
            self.withheld += PyBytes_FromStringAndSize(<char *>p + start, end - start)

    # To the client: what was held, then the bytes from start to end.
    cdef object emit(self, bytearray out, const uint8_t *p, Py_ssize_t start, Py_ssize_t end):
        if self.withheld is not None:
            out += self.withheld
            self.withheld = None
        if end > start:
            out += PyBytes_FromStringAndSize(<char *>p + start, end - start)

    cdef object keep_tail(self, bytes data, Py_ssize_t start):
        cdef Py_ssize_t n = min(len(data) - start, self.tail_room)
        self.tail_room -= n
        self.withhold(<const uint8_t *>PyBytes_AS_STRING(data), start, start + n)

    def take_tail(self):
        tail = bytes(self.withheld) if self.withheld is not None else b""
        self.withheld = None
        return self.clean(tail)

    def finish(self):
        if not self.events_scan.done:
            self.truncated = sse_finish(&self.events_scan)
        tokens = self.conclude()
        self.check()
        return tokens

    @property
    def held(self):
        return bytes(self.withheld) if self.withheld is not None else b""

    @property
    def done(self):
        return bool(self.events_scan.done)

    @property
    def ending(self):
        return bool(self.events_scan.ending)

    @property
    def events(self):
        return self.events_scan.events

    @property
    def malformed_events(self):
        return self.scan.malformed_events
