# Part of jsonscan.pyx: a caller's request, in one strict pass over its body.
#
# What one pass finds is kept by number, so that nothing of the body is decoded that nobody reads.
# The prompt's text goes to a counter at once, or waits in a copy until the model is known.

from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcpy


cdef extern from "request.h":
    void rq_run(rq_scan *, const uint8_t *, size_t) nogil
    int rq_name(const char *name, int inside)
    const char *rq_name_at(int index)


cdef void on_prompt(void *context, const uint8_t *utf8, size_t size) noexcept:
    (<Counter>context).feed_utf8(utf8, size)


cdef void on_prompt_cut(void *context, const uint8_t *utf8, size_t size) noexcept:
    (<Counter>context).boundary()


# Keeps the prompt's text for the counter. It is never longer than the body: no escape is shorter
# than what it stands for, and a cut takes one byte where the string had two quotes.
cdef void on_heard(void *context, const uint8_t *utf8, size_t size) noexcept nogil:
    cdef heard_text *heard = <heard_text *>context
    memcpy(heard.data + heard.size, utf8, size)
    heard.size += size


cdef void on_heard_cut(void *context, const uint8_t *utf8, size_t size) noexcept nogil:
    cdef heard_text *heard = <heard_text *>context
    heard.data[heard.size] = CUT
    heard.size += 1


# Between two pieces of a long text other threads may run (and count): no piece is under way then.
cdef void on_rest(void *context, const uint8_t *utf8, size_t size) noexcept:
    with nogil:
        pass


# From this size on a scan lets other threads run; below it would cost more than it takes.
cdef enum:
    LONG_BODY = 256 * 1024
    KEPT_BODY = 16 * 1024  # of bodies up to here the prompt's text is kept until it is counted
    CUT = 0xFF             # ends a string in that text; no byte of UTF-8


cdef class RequestScan:
    """What one pass over a request's body found; see jsonscan.pyi for the whole contract."""

    def __dealloc__(self):
        free(self.heard.data)

    cpdef bint count(self, Counter counter) except -1:
        cdef const uint8_t *p = self.heard.data
        cdef const uint8_t *end = p + self.heard.size
        cdef const uint8_t *cut
        if p == NULL:
            return False
        while p < end:
            cut = <const uint8_t *>memchr(p, CUT, end - p)
            if cut == NULL:
                cut = end
            if cut > p:
                counter.feed_utf8(p, cut - p)
            if cut < end:
                counter.boundary()
            p = cut + 1
        free(self.heard.data)
        self.heard.data = NULL
        return True

    cpdef object span(self, int number):
        if number < 0 or self.scan.error != NULL or self.scan.span[number].end == 0:
            return None
        return self.scan.span[number].start, self.scan.span[number].end

    cpdef bint valid(self) except -1:
        return self.scan.error == NULL and self.scan.duplicate < 0

    cdef object at(self, const char *name, bint inside=False):
        return self.span(rq_name(name, inside))

    @property
    def error(self):
        if self.scan.error == NULL:
            return None
        return f"{self.scan.error.decode()} at byte {self.scan.error_at}"

    @property
    def duplicate(self):
        return None if self.scan.duplicate < 0 else rq_name_at(self.scan.duplicate).decode()

    @property
    def brace(self):
        return self.scan.brace

    @property
    def model(self):
        return self.at("model")

    @property
    def stream(self):
        return self.at("stream")

    @property
    def stream_options(self):
        return self.at("stream_options")

    @property
    def max_tokens(self):
        return self.at("max_tokens")

    @property
    def max_completion_tokens(self):
        return self.at("max_completion_tokens")

    @property
    def max_output_tokens(self):
        return self.at("max_output_tokens")

    @property
    def n(self):
        return self.at("n")

    @property
    def user(self):
        return self.at("user")

    @property
    def background(self):
        return self.at("background")

    @property
    def models(self):
        return self.at("models")

    def member(self, str name not None):
        return self.at(name.encode())

    def inside(self, str name not None):
        return self.at(name.encode(), True)

    @property
    def text_bytes(self):
        return self.scan.text_bytes

    @property
    def media_bytes(self):
        return self.scan.media_bytes

    @property
    def media_parts(self):
        return self.scan.media_parts

    @property
    def message_count(self):
        return self.scan.messages

    @property
    def tool_count(self):
        return self.scan.tools


# The members that every request is asked for, by the number that `span` takes.
MODEL = rq_name(b"model", False)
STREAM = rq_name(b"stream", False)
STREAM_OPTIONS = rq_name(b"stream_options", False)
MAX_TOKENS = rq_name(b"max_tokens", False)
MAX_COMPLETION_TOKENS = rq_name(b"max_completion_tokens", False)
MAX_OUTPUT_TOKENS = rq_name(b"max_output_tokens", False)
N = rq_name(b"n", False)
USER = rq_name(b"user", False)
SAFETY_IDENTIFIER = rq_name(b"safety_identifier", False)
USER_ID = rq_name(b"user_id", True)
END_USER_ID = rq_name(b"user_id", False)
PROMPT_CACHE_KEY = rq_name(b"prompt_cache_key", False)
SESSION_ID = rq_name(b"session_id", False)
CLIENT_METADATA = rq_name(b"client_metadata", False)
BACKGROUND = rq_name(b"background", False)
MODELS = rq_name(b"models", False)


cpdef RequestScan scan_request(bytes body, Counter count_into=None, bint keep_text=False):
    """Scans a whole request body in one pass; never raises because of the data."""
    if body is None:
        raise TypeError("bytes are needed")
    cdef RequestScan found = RequestScan.__new__(RequestScan)
    cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(body)
    cdef size_t size = <size_t>PyBytes_GET_SIZE(body)
    if count_into is not None:
        found.scan.text = on_prompt
        found.scan.cut = on_prompt_cut
        found.scan.context = <void *>count_into
        if size > LONG_BODY:
            found.scan.rest = on_rest
        rq_run(&found.scan, p, size)
        found.scan.context = NULL
    elif size > LONG_BODY:
        with nogil:
            rq_run(&found.scan, p, size)
    else:
        if keep_text and 0 < size <= KEPT_BODY:
            found.heard.data = <uint8_t *>malloc(size)
            if found.heard.data != NULL:
                found.scan.text = on_heard
                found.scan.cut = on_heard_cut
                found.scan.context = <void *>&found.heard
        rq_run(&found.scan, p, size)
        found.scan.context = NULL
    found.watched, found.references = found.scan.watched, found.scan.references
    found.caches = found.scan.caches
    return found
