# distutils: sources = native/c/jsonscan.c native/c/jsontext.c native/c/jsonpath.c native/c/request.c native/c/usage.c
"""Meters JSON as it passes: a provider's whole answer (BodyMeter) and a caller's request.

Text goes from the input to one token counter per choice without a copy. What is kept is bounded:
usage and error objects up to 4 KiB each, names up to 128 bytes. Nothing here raises because of the
data. It must know nothing of SSE, HTTP, prices or providers' addresses; which keys matter is in
native/c/jsonpath.c, what is valid JSON in RFC 8259.
"""

import json

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE


cdef extern from "jsonscan.h":
    ctypedef void (*js_text_fn)(void *, js_voice *, int, const uint8_t *, size_t) noexcept nogil
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
# On a stream that is lent the caller has no GIL, and only the first text of a choice asks for it.
cdef void on_text(
    void *context, js_voice *voice, int kind, const uint8_t *utf8, size_t size
) noexcept nogil:
    if voice.counter == NULL:
        if not begin_voice(context, voice, kind):
            return
    elif voice.kind != kind or voice.fresh:
        (<Counter>voice.counter).boundary()
        turn(<Meter>context, voice, kind)
    voice.fresh = 0
    (<Counter>voice.counter).feed_utf8(utf8, size)


cdef bint begin_voice(void *context, js_voice *voice, int kind) noexcept with gil:
    cdef Meter self = <Meter>context
    cdef Counter counter
    if self.failure is not None:
        return False
    try:
        counter = <Counter?>self.factory()
        if self.lent and not counter.may_lend():
            raise RuntimeError("the choices of one answer have one encoding")
        self.counters.append(counter)
    except BaseException as error:
        self.failure = error
        return False
    if self.lent:
        counter.lend(True)
    voice.counter = <void *>counter
    voice.kind = kind
    return True


# Books what the last run of one kind came to; the counter has just decided everything.
cdef void turn(Meter self, js_voice *voice, int kind) noexcept nogil:
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

    cdef bint may_lend(self) noexcept:
        cdef Counter counter
        if self.failure is not None or not self.counters:
            return False
        for counter in self.counters:
            if not counter.may_lend():
                return False
        return True

    cdef void lend(self, bint away) noexcept:
        cdef Counter counter
        self.lent = away
        for counter in self.counters:
            counter.lend(away)

    cdef long long total(self) noexcept nogil:
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


include "jsonrequest.pxi"
