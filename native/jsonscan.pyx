# distutils: sources = native/c/jsonscan.c native/c/jsontext.c native/c/jsonpath.c native/c/request.c native/c/usage.c
"""Meters JSON as it passes: a provider's whole answer (BodyMeter) and a caller's request.

Text goes from the input to one token counter per choice without a copy. What is kept is bounded:
usage and error objects up to 4 KiB each, names up to 128 bytes. Nothing here raises because of the
data. It must know nothing of SSE, HTTP, prices or providers' addresses; which keys matter is in
native/c/jsonpath.c, what is valid JSON in RFC 8259.
"""

import json

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcpy


cdef extern from "jsonscan.h":
    ctypedef void (*js_text_fn)(void *, js_voice *, int, const uint8_t *, size_t) noexcept
    enum:
        JS_CHAT_BODY
        JS_RESPONSES_BODY
        JS_ANTHROPIC_BODY
        JS_GEMINI_BODY
        JS_CONVERSE_BODY
        JS_REASONING
        JS_USAGE
        JS_USAGE_START
        JS_ERROR
        JS_FINISH
        JS_OUTPUT
    const js_table *js_table_of(int dialect)
    void js_init(js_scan *, const js_table *, uint32_t, js_text_fn, void *)
    void js_free(js_scan *)
    void js_feed(js_scan *, const uint8_t *, size_t)
    int js_complete(const js_scan *)
    int js_end(js_scan *, int *usage)
    void js_finish(js_scan *)


cdef extern from "request.h":
    void rq_run(rq_scan *, const uint8_t *, size_t) nogil
    int rq_name(const char *name, int inside)
    const char *rq_name_at(int index)


cdef extern from "usage.h":
    enum:
        US_ABSENT
    ctypedef struct us_report:
        int64_t prompt
        int64_t completion
        int64_t cached
        int64_t written
        int64_t reasoning
        int64_t hit
    int us_read(const uint8_t *, size_t, us_report *)


# Called by the scanner for every piece of text; C code cannot raise, so a failure waits in `self`.
cdef void on_text(
    void *context, js_voice *voice, int kind, const uint8_t *utf8, size_t size
) noexcept:
    cdef Meter self = <Meter>context
    if voice.counter == NULL:
        if self.failure is not None:
            return
        try:
            counter = <Counter?>self.factory()
            self.counters.append(counter)
            voice.counter = <void *>counter
        except BaseException as error:
            self.failure = error
            return
        voice.kind = kind
    elif voice.kind != kind or voice.fresh:
        (<Counter>voice.counter).boundary()
        turn(self, voice, kind)
    voice.fresh = 0
    (<Counter>voice.counter).feed_utf8(utf8, size)


# Books what the last run of one kind came to; the counter has just decided everything.
cdef void turn(Meter self, js_voice *voice, int kind) noexcept:
    cdef long long decided = (<Counter>voice.counter).decided()
    if voice.kind == JS_REASONING:
        self.reasoned += decided - voice.mark
    voice.mark = decided
    voice.kind = kind


cdef bytes kept(js_scan *scan, int slot):
    if scan.kept[slot].len == 0:
        return None
    return PyBytes_FromStringAndSize(<char *>scan.kept[slot].data, scan.kept[slot].len)


# A name as json.loads would give it, but for what no str should hold: lone surrogates are U+FFFD.
cdef str name_of(const uint8_t *p, Py_ssize_t size):
    cdef bytes raw = (<char *>p)[:size]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    try:
        text = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


cdef class Meter:
    """What a stream and a body have in common; made by StreamMeter and BodyMeter only."""

    cdef object start(self, int dialect, object counter_factory, long max_choices):
        if not 1 <= max_choices <= 65536:
            raise ValueError("max_choices must be from 1 to 65536")
        self.factory = counter_factory
        self.counters = []
        js_init(&self.scan, js_table_of(dialect), max_choices, on_text, <void *>self)

    def __dealloc__(self):
        js_free(&self.scan)

    cdef object check(self):
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if self.scan.failed:
            raise MemoryError("no memory to go on metering")

    cdef long long total(self) noexcept:
        cdef long long sum = 0
        cdef uint32_t i
        for i in range(self.scan.voice_count):
            if self.scan.voices[i].counter != NULL:
                sum += (<Counter>self.scan.voices[i].counter).decided()
        return sum

    cdef long long conclude(self) noexcept:
        cdef uint32_t i
        js_finish(&self.scan)
        for i in range(self.scan.voice_count):
            if self.scan.voices[i].counter != NULL:
                (<Counter>self.scan.voices[i].counter).boundary()
                turn(self, &self.scan.voices[i], self.scan.voices[i].kind)
        return self.total()

    @property
    def tokens(self):
        return self.total()

    @property
    def reasoning_tokens(self):
        cdef long long sum = self.reasoned
        cdef js_voice *voice
        cdef uint32_t i
        for i in range(self.scan.voice_count):
            voice = &self.scan.voices[i]
            if voice.counter != NULL and voice.kind == JS_REASONING:
                sum += (<Counter>voice.counter).decided() - voice.mark
        return sum

    @property
    def usage(self):
        return kept(&self.scan, JS_USAGE)

    @property
    def usage_start(self):
        return kept(&self.scan, JS_USAGE_START)

    @property
    def usage_events(self):
        return self.scan.usage_events

    @property
    def usage_overflow(self):
        return bool(self.scan.usage_overflow)

    @property
    def error(self):
        # The third buffer kept; a longer error is cut at 4 KiB.
        return kept(&self.scan, JS_ERROR)

    @property
    def output_seen(self):
        return bool(self.scan.output or self.scan.seen & JS_OUTPUT)

    @property
    def finish_seen(self):
        return bool(self.scan.seen & JS_FINISH)

    @property
    def model(self):
        if self.scan.model_len == 0:
            return None
        return name_of(self.scan.model, self.scan.model_len)

    @property
    def service_tier(self):
        if self.scan.tier_len:
            return name_of(self.scan.tier, self.scan.tier_len)
        return tier_inside(self.usage) or tier_inside(self.usage_start)


def tier_inside(usage):
    """The service tier that Anthropic reports inside its usage object, or None."""
    if usage is None or b"service_tier" not in usage:
        return None
    try:
        tier = json.loads(usage).get("service_tier")
    except (ValueError, RecursionError):
        return None
    return tier if isinstance(tier, str) else None


cdef class BodyMeter(Meter):
    """Meters one JSON answer fed in pieces; see jsonscan.pyi for the whole contract."""

    def __init__(self, str dialect not None, counter_factory, *, int max_choices=128):
        cdef int table
        if dialect in ("chat", "completions", "embeddings"):
            table = JS_CHAT_BODY
        elif dialect == "responses":
            table = JS_RESPONSES_BODY
        elif dialect == "anthropic":
            table = JS_ANTHROPIC_BODY
        elif dialect == "gemini":
            table = JS_GEMINI_BODY
        elif dialect == "converse":
            table = JS_CONVERSE_BODY
        else:
            raise ValueError(f"unknown dialect: {dialect!r}")
        if self.factory is not None:
            raise RuntimeError("a meter meters one answer")
        self.start(table, counter_factory, max_choices)

    cpdef feed(self, bytes data):
        if data is None:
            raise TypeError("bytes are needed")
        if self.ended:
            raise RuntimeError("the body was finished")
        js_feed(&self.scan, <const uint8_t *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self.check()

    cpdef finish(self):
        cdef int usage
        cdef long long tokens
        if not self.ended:
            self.ended = True
            self.valid = js_end(&self.scan, &usage) >= 0
        tokens = self.conclude()
        self.check()
        return tokens

    @property
    def malformed(self):
        return self.ended and not self.valid


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


cpdef tuple usual_usage(bytes raw):
    """The numbers of a usage object in its usual form, else None; see jsonscan.pyi."""
    cdef us_report found
    if raw is None:
        raise TypeError("bytes are needed")
    if not us_read(<const uint8_t *>PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw), &found):
        return None
    if found.cached == US_ABSENT:
        found.cached = max(found.hit, 0)
    completion = None if found.completion == US_ABSENT else found.completion
    return found.prompt, completion, found.cached, max(found.written, 0), max(found.reasoning, 0)
