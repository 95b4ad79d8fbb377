# distutils: sources = native/c/http1.c
"""Reads HTTP/1.1 as it comes: a provider's answers, and the usual form of a client's request.

The framing is native/c/http1.c's; here heads that come in pieces are kept, up to a bound, and what
was read becomes Python objects. It must know nothing of sockets, models or money.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from gateway._native.sse cimport PASSED, StreamMeter


cdef extern from "http1.h" nogil:
    enum:
        H1_MAX_OVERHEAD
        H1_MAX_SIZE_LINE
        H1_HEAD
        H1_SIZE
        H1_FAILED
    ctypedef struct h1_head:
        uint32_t first
        uint32_t count
        h1_span name[256]
        h1_span value[256]
    size_t h1_head_length(const uint8_t *, size_t, size_t)
    const char *h1_headers(const uint8_t *, size_t, size_t, h1_head *)
    const char *h1_response(const uint8_t *, size_t, h1_head *, h1_answer *)
    size_t h1_next(h1_body *, const uint8_t *, size_t, size_t *)
    uint8_t *h1_size_line(uint8_t *, size_t)
    size_t h1_lone_chunk(h1_body *, const uint8_t *, size_t, size_t *)
    int h1_named(const uint8_t *, h1_span, const char *, size_t)
    int64_t h1_number(const uint8_t *, h1_span)


cdef enum:
    MAX_HEAD_BYTES = 65536
    MAX_INFORMATIONAL = 16       # 1xx answers before the real one
    MAX_NAME_BYTES = 256
    MAX_REQUEST_HEAD_BYTES = 16384

# A head is read on the loop's one thread and copied out at once, so all readers share the spans.
cdef h1_head HEAD


cdef bytes lowered(const uint8_t *p, h1_span name):
    cdef uint8_t small[MAX_NAME_BYTES]
    cdef uint32_t i
    cdef uint8_t c
    for i in range(name.len):
        c = p[name.start + i]
        small[i] = c | 0x20 if 65 <= c <= 90 else c
    return PyBytes_FromStringAndSize(<char *>small, name.len)


cdef bytes taken(const uint8_t *p, h1_span value):
    return PyBytes_FromStringAndSize(<const char *>p + value.start, value.len)


cdef class ResponseReader:
    """Reads one answer after another of one connection; see http1.pyi for the whole contract."""

    def __cinit__(self):
        self.start()

    cpdef start(self):
        self.answer.status = 0
        self.answer.keep_alive = False
        self.answer.body.state = H1_HEAD
        self.answer.body.overhead = 0
        self.partial = None
        self.informational = 0
        self.headers = None
        self.news = False
        self.error = None

    cdef int status_now(self) noexcept:
        return 0 if self.headers is None else self.answer.status

    @property
    def status(self):
        """The answer's status; 0 until its head is whole."""
        return self.status_now()

    @property
    def ended(self):
        """Whether the framing says that the answer is whole."""
        return self.answer.body.state == H1_DONE

    @property
    def until_close(self):
        """Whether the end of the connection is the proper end of the answer."""
        return self.answer.body.state == H1_TO_CLOSE

    @property
    def keep_alive(self):
        """Whether the connection may serve again once the answer has ended."""
        return bool(self.answer.keep_alive) and self.answer.body.state == H1_DONE

    cpdef bytes feed(self, bytes data):
        if data is None:
            raise TypeError("bytes are needed")
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef size_t size = PyBytes_GET_SIZE(data), at = 0
        self.news = False
        if self.answer.body.state == H1_HEAD:
            at = self.take_head(data)
            if self.answer.body.state == H1_HEAD or self.error is not None:
                return None
            p = <const uint8_t *>PyBytes_AS_STRING(data)
        elif self.answer.body.state == H1_FAILED:
            return None
        return self.body_of(p, at, size)

    # The bytes of the body that stand in p from `at` on; copied once.
    cdef bytes body_of(self, const uint8_t *p, size_t at, size_t size):
        cdef size_t length = 0, used
        cdef bytes first = None
        cdef list more = None
        while at < size:
            used = h1_next(&self.answer.body, p + at, size - at, &length)
            at += used
            if length:
                piece = PyBytes_FromStringAndSize(<const char *>p + at - length, length)
                if first is None:
                    first = piece
                elif more is None:
                    more = [first, piece]
                else:
                    more.append(piece)
            if self.answer.body.state == H1_DONE or self.answer.body.state == H1_FAILED:
                break
        self.note_framing(at < size)
        return first if more is None else b"".join(more)

    # Tells of an end or an error that the framing has come to; `extra`: bytes stand behind it.
    cdef note_framing(self, bint extra):
        if self.answer.body.overhead > H1_MAX_OVERHEAD:
            self.fail("the trailers are too large")
        elif self.answer.body.state == H1_FAILED:
            self.fail("the chunks are malformed")
        elif self.answer.body.state == H1_DONE:
            self.news = True
            if extra:
                self.answer.keep_alive = False  # bytes nobody asked for

    cdef fail(self, str what):
        self.news = True
        self.error = what
        self.answer.body.state = H1_FAILED

    # Reads heads until the answer's own is whole. Returns how much of `data` they took.
    cdef size_t take_head(self, bytes data) except? 0:
        cdef const uint8_t *p
        cdef size_t before, length, at = 0, size
        cdef bytes whole = data
        while True:
            before = 0
            if self.partial is not None:
                before = len(self.partial)
                self.partial += data[at:] if at else data
                whole = bytes(self.partial)
                at = 0
                self.partial = None
            elif at:
                whole = data[at:]
            p = <const uint8_t *>PyBytes_AS_STRING(whole)
            size = PyBytes_GET_SIZE(whole)
            length = h1_head_length(p, size, before)
            if length > MAX_HEAD_BYTES or (length == 0 and size > MAX_HEAD_BYTES):
                self.fail("the head is too large")
                return 0
            if length == 0:
                if whole[:7] != b"HTTP/1."[:size]:
                    self.fail("not an HTTP/1 answer")
                elif size:
                    self.partial = bytearray(whole)
                return 0
            if not self.read_head(p, length):
                return 0
            # Where the head ends in `data`: what was kept of it before came first in `whole`.
            at = PyBytes_GET_SIZE(data) - (size - length)
            if self.answer.body.state != H1_HEAD:
                self.news = True
                return at

    cdef bint read_head(self, const uint8_t *p, size_t length) except -1:
        cdef const char *wrong = h1_response(p, length, &HEAD, &self.answer)
        cdef uint32_t i
        cdef dict headers
        if wrong != NULL:
            self.fail(wrong.decode("ascii"))
            return False
        if self.answer.body.state == H1_HEAD:
            self.informational += 1
            if self.informational > MAX_INFORMATIONAL:
                self.fail("too many informational answers")
                return False
            return True
        headers = {}
        for i in range(HEAD.count):
            if HEAD.name[i].len <= MAX_NAME_BYTES:
                headers[lowered(p, HEAD.name[i])] = taken(p, HEAD.value[i])
        self.headers = headers
        return True


# The usual request: what a client library sends. Everything else is left to the full parser.
cdef bint plain_target(const uint8_t *p, size_t at, size_t end):
    cdef size_t i
    if end - at < 1 or end - at > 8192 or p[at] != 47:  # "/"
        return False
    for i in range(at, end):
        if p[i] <= 0x20 or p[i] >= 0x7f:
            return False
    return True


cdef class Names:
    """The header names that are kept, each made once; see http1.pyi."""

    def __init__(self, names):
        self.names = tuple(sorted(names))
        self.lengths = 0
        for name in self.names:
            if type(name) is not bytes or not 0 < len(name) < 64 or name != name.lower():
                raise ValueError("names are bytes in lower case, at most 63")
            self.lengths |= <uint64_t>1 << <uint64_t>len(name)

    # The name that stands there in any case, or None: no object is made of what is not kept.
    cdef bytes find(self, const uint8_t *p, h1_span name):
        cdef Py_ssize_t i, size
        cdef bytes known
        if name.len > 63 or not (self.lengths >> name.len) & 1:
            return None  # most headers that are not kept have a length that no kept one has
        for i in range(PyTuple_GET_SIZE(self.names)):
            known = <bytes>PyTuple_GET_ITEM(self.names, i)
            size = PyBytes_GET_SIZE(known)
            if size == name.len and h1_named(p, name, PyBytes_AS_STRING(known), size):
                return known
        return None


cpdef tuple usual_request(bytes data, Names kept):
    """See http1.pyi."""
    if data is None or kept is None:
        raise TypeError("bytes and names are needed")
    cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef size_t size = PyBytes_GET_SIZE(data), length, start, end
    cdef const uint8_t *space
    cdef h1_span name
    cdef uint32_t i
    cdef int64_t body = -1
    cdef dict headers
    cdef bytes key
    if size < 16 or (memcmp(p, b"POST /", 6) != 0 and memcmp(p, b"GET /", 5) != 0):
        return None
    length = h1_head_length(p, min(size, <size_t>MAX_REQUEST_HEAD_BYTES), 0)
    start = 5 if p[0] == 80 else 4
    if length == 0:
        return None
    space = <const uint8_t *>memchr(p + start, 32, length - start)
    if space == NULL:
        return None
    end = space - p
    if length - end < 13 or memcmp(p + end, b" HTTP/1.1\r\n", 11) != 0:
        return None
    if not plain_target(p, start, end) or h1_headers(p, length, end + 11, &HEAD) != NULL:
        return None
    headers = {}
    for i in range(HEAD.count):
        name = HEAD.name[i]
        if name.len > MAX_NAME_BYTES:
            return None
        if h1_named(p, name, b"content-length", 14):
            if body >= 0:
                return None
            body = h1_number(p, HEAD.value[i])
            if body < 0:
                return None
        elif h1_named(p, name, b"connection", 10):
            if not h1_named(p, HEAD.value[i], b"keep-alive", 10):
                return None
        elif (
            h1_named(p, name, b"transfer-encoding", 17)
            or h1_named(p, name, b"expect", 6)
            or h1_named(p, name, b"upgrade", 7)
        ):
            return None
        key = kept.find(p, name)
        if key is not None:
            if key in headers:
                return None
            headers[key] = taken(p, HEAD.value[i])
    if p[0] == 71 and body > 0:  # a GET with a body
        return None
    target = PyBytes_FromStringAndSize(<const char *>p + start, end - start)
    return b"GET" if p[0] == 71 else b"POST", target, headers, max(body, 0), length


# One chunk of a chunked body (RFC 9112, 7.1).
include "relay.pxi"
