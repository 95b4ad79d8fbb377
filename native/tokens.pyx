# distutils: sources = native/c/tokens.c native/c/bulk.c native/c/bulk_avx2.c native/c/bpe_batch.c native/c/bpe_count.c native/c/bpe_greedy.c native/c/bpe_load.c native/c/bpe_long.c native/c/bpe_merge.c native/c/utf16.c
"""Counts tokens as text passes: the thin Python face of the C kernels in native/c.

Here live the vocabularies' loading (lazy, once a process, verified) and `Counter`. A vocabulary's
caches are written while counting, so one thread counts at a time: callers hold the GIL, also where
a method is declared nogil. It must know nothing of JSON, SSE, models, prices or the gateway.
"""

import hashlib
import zlib
from pathlib import Path

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc


cdef extern from "Python.h":
    int PyUnicode_KIND(object text)
    void *PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    bint PyUnicode_IS_ASCII(object text)


cdef extern from "bpe.h":
    ctypedef struct tg_vocab:
        uint32_t n_tokens
        size_t arena_size
    tg_vocab *tg_vocab_load(const uint8_t *classes, size_t classes_size, const uint8_t *data,
                            size_t size)
    void tg_vocab_free(tg_vocab *vocab)


cdef extern from "bpe_long.h":
    int tg_long_prepare(tg_vocab *vocab)


cdef extern from "tokens.h":
    ctypedef struct tg_counter:
        uint64_t decided
    void tg_counter_start(tg_counter *counter, tg_vocab *vocab)
    void tg_counter_feed(tg_counter *counter, const uint8_t *data, size_t size) nogil
    void tg_counter_boundary(tg_counter *counter) nogil
    void tg_counter_clear(tg_counter *counter)


cdef extern from "utf16.h":
    size_t tg_transcode(const void *text, int kind, size_t size, size_t *at, uint32_t *high,
                        uint8_t *out, size_t room)


DATA = Path(__file__).parent / "data"


class VocabularyError(RuntimeError):
    """A vocabulary file is missing, altered, malformed, or memory is short."""


@cython.final
cdef class _Vocabulary:
    cdef tg_vocab *tables

    def __dealloc__(self):
        tg_vocab_free(self.tables)


# Families without a public vocabulary: name -> base vocabulary, numerator, denominator. The count is
# the base's times the fraction, rounded up. Measured over 60 samples of 2,000 characters each,
# median error (5th to 95th percentile) of the estimate:
#   estimate_gemini against the vocabulary of Gemma 3, which Google says Gemini shares: English
#     0 % (-7..+4), source code -7 % (-18..+1), Chinese +11..28 %.
#   estimate_claude against Anthropic's last public vocabulary (Claude 2): English +4 % (0..+10),
#     source code +6 % (-7..+24), Chinese -17..-8 %. For Claude 3 and later nothing public exists
#     to measure against.
#   estimate_other (Doubao, MiniMax, Llama, unknown): o200k_base as it stands. Against Llama 3:
#     English 0 % (-1..+1), source code +1 % (0..+3), Chinese -4 %; others unmeasured.
ESTIMATES = {
    "estimate_claude": ("o200k_base", 11, 10),
    "estimate_gemini": ("o200k_base", 15, 14),
    "estimate_other": ("o200k_base", 1, 1),
}

# Names that share another's ranks (tiktoken_ext/openai_public.py): they differ in special tokens.
ALIASES = {"o200k_harmony": "o200k_base", "gpt2": "r50k_base", "p50k_edit": "p50k_base"}

cdef dict _loaded = {}
cdef dict _provided = {}


def _read(str file not None):
    """The content of a packaged file, verified against SHA256SUMS."""
    try:
        sums = dict(line.split()[::-1] for line in (DATA / "SHA256SUMS").read_text().splitlines())
        packed = (DATA / file).read_bytes()
    except OSError as error:
        raise VocabularyError(f"vocabulary file {file} cannot be read: {error}") from error
    if hashlib.sha256(packed).hexdigest() != sums.get(file):
        raise VocabularyError(f"vocabulary file {file} does not have its recorded sha256")
    return zlib.decompress(packed)


def vocabularies():
    """Names of the exact encodings: the vocabularies in the package, sorted."""
    return sorted(path.stem for path in DATA.glob("*.tgv"))


def encodings():
    """Names a Counter takes: the vocabularies, then the estimates."""
    exact = {*vocabularies(), *_provided}
    exact.update(name for name, base in ALIASES.items() if base in exact)
    return [*sorted(exact), *sorted(ESTIMATES)]


def provide(str name not None, make not None):
    """Add an encoding: `make()` gives its uncompressed vocabulary when it is first used."""
    _provided[name] = make


def splitter(str name not None):
    """The packaged splitter of that name, for a vocabulary that is not packaged."""
    return _read(name + ".tgp")


cpdef load(str encoding):
    """Load an encoding's vocabulary now rather than at first use; ValueError for an unknown name."""
    encoding = ESTIMATES.get(encoding, (encoding,))[0]
    encoding = ALIASES.get(encoding, encoding)
    if encoding not in _loaded:
        if encoding in _provided:
            data = _provided[encoding]()
        elif encoding in vocabularies():
            data = _read(encoding + ".tgv")
        else:
            raise ValueError(f"unknown encoding {encoding!r}; known: {', '.join(encodings())}")
        _loaded[encoding] = _build(_read("unicode.tgu"), data)
    return _loaded[encoding]


cdef _Vocabulary _build(bytes classes, bytes data):
    cdef _Vocabulary vocabulary = _Vocabulary()
    vocabulary.tables = tg_vocab_load(
        <const uint8_t *>PyBytes_AS_STRING(classes), <size_t>len(classes),
        <const uint8_t *>PyBytes_AS_STRING(data), <size_t>len(data),
    )
    if vocabulary.tables is NULL or not tg_long_prepare(vocabulary.tables):
        raise VocabularyError("a vocabulary is malformed, or memory is short")
    return vocabulary


@cython.freelist(64)
cdef class Counter:
    """Counts the tokens of one text given in any pieces; `exact` is False for an estimate."""

    def __cinit__(self, str encoding not None):
        vocabulary = _loaded.get(encoding)
        self._numerator = self._denominator = 1
        self.exact = True
        if vocabulary is None:
            vocabulary = load(encoding)
            if encoding in ESTIMATES:
                _, self._numerator, self._denominator = ESTIMATES[encoding]
                self.exact = False
        self.encoding = encoding
        self._vocabulary = vocabulary
        self._state = malloc(sizeof(tg_counter))
        if self._state is NULL:
            raise MemoryError
        tg_counter_start(<tg_counter *>self._state, (<_Vocabulary>vocabulary).tables)

    def __dealloc__(self):
        if self._state is not NULL:
            tg_counter_clear(<tg_counter *>self._state)
            free(self._state)

    cdef void feed_utf8(self, const unsigned char *data, Py_ssize_t size) noexcept nogil:
        if size > 0:
            if self._high:
                self._flush_high()
            tg_counter_feed(<tg_counter *>self._state, data, <size_t>size)

    cdef void boundary(self) noexcept nogil:
        if self._high:
            self._flush_high()
        tg_counter_boundary(<tg_counter *>self._state)

    cdef long long decided(self) noexcept nogil:
        cdef long long tokens = <long long>(<tg_counter *>self._state).decided
        if self._numerator == self._denominator:
            return tokens
        return (tokens * self._numerator + self._denominator - 1) // self._denominator

    cdef void _flush_high(self) noexcept nogil:
        self._high = 0
        tg_counter_feed(<tg_counter *>self._state, <const uint8_t *>"\xef\xbf\xbd", 3)

    cdef void _feed_str(self, object text) noexcept:
        cdef uint8_t utf8[1024]
        cdef size_t at = 0, written, size = <size_t>PyUnicode_GET_LENGTH(text)
        if not self._high and PyUnicode_IS_ASCII(text):
            tg_counter_feed(<tg_counter *>self._state, <uint8_t *>PyUnicode_DATA(text), size)
            return
        while at < size:
            written = tg_transcode(
                PyUnicode_DATA(text), PyUnicode_KIND(text), size, &at, &self._high, utf8, 1024
            )
            tg_counter_feed(<tg_counter *>self._state, utf8, written)

    def feed(self, text not None):
        """Count on: str, or bytes of UTF-8 cut anywhere. Never raises on what the text holds."""
        cdef Py_buffer view
        if isinstance(text, str):
            self._feed_str(text)
        elif isinstance(text, bytes):
            self.feed_utf8(<const unsigned char *>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        else:
            PyObject_GetBuffer(text, &view, PyBUF_SIMPLE)
            self.feed_utf8(<const unsigned char *>view.buf, view.len)
            PyBuffer_Release(&view)

    @property
    def count(self):
        """Tokens decided so far: a lower bound that never falls."""
        return self.decided()

    def finish(self):
        """The text is complete: its exact count. Feeding on begins a new text, counted on top."""
        self.boundary()
        return self.decided()


def count(text not None, str encoding not None):
    """Tokens of a whole text, str or bytes of UTF-8."""
    cdef Counter counter = Counter(encoding)
    counter.feed(text)
    counter.boundary()
    return counter.decided()
