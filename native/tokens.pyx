# distutils: sources = native/c/tokens.c native/c/bulk.c native/c/bulk_avx2.c native/c/bpe_automaton.c native/c/bpe_batch.c native/c/bpe_count.c native/c/bpe_load.c native/c/bpe_prefix.c native/c/utf16.c
"""Counts tokens as text passes: the thin Python face of the C kernels in native/c.

Here lives `Counter`; loading vocabularies is vocabularies.pxi's. A vocabulary's caches are written
while counting, so one thread counts at a time: callers hold the GIL, also where a method is
declared nogil. The one exception is a counter that was lent: it counts with a second copy of its
vocabulary, which belongs to the one thread that carries streams (native/pump.pyx). It must know
nothing of JSON, SSE, models, prices or the gateway.
"""

import hashlib
import threading
import unicodedata
import zlib
from pathlib import Path

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove


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
                            size_t size) nogil
    void tg_vocab_free(tg_vocab *vocab)
    tg_vocab *tg_vocab_twin(const tg_vocab *vocab)


cdef extern from "tokens.h":
    ctypedef struct tg_counter:
        uint64_t decided
    void tg_counter_start(tg_counter *counter, tg_vocab *vocab)
    void tg_counter_feed(tg_counter *counter, const uint8_t *data, size_t size) nogil
    void tg_counter_boundary(tg_counter *counter) nogil
    void tg_counter_switch(tg_counter *counter, tg_vocab *vocab) nogil
    void tg_counter_clear(tg_counter *counter)


cdef extern from "normal.h" nogil:
    enum:
        TG_HELD_MAX
        TG_NORMAL_BYTES
    ctypedef struct tg_normal:
        uint32_t size
        uint32_t read
        int behind
        uint8_t held[TG_HELD_MAX]
    ctypedef struct tg_normal_cut:
        size_t cut
        size_t read
        int before
        int behind
    tg_normal_cut tg_normal_find(const uint8_t *marks, const uint8_t *text, size_t size,
                                 size_t read, int behind)


cdef extern from "utf16.h":
    size_t tg_transcode(const void *text, int kind, size_t size, size_t *at, uint32_t *high,
                        uint8_t *out, size_t room)


include "vocabularies.pxi"


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
        self._normal = NULL
        if encoding in NORMALIZED:
            self._begin_normal()

    def __dealloc__(self):
        if self._state is not NULL:
            tg_counter_clear(<tg_counter *>self._state)
            free(self._state)
        free(self._normal)

    cdef void feed_utf8(self, const unsigned char *data, Py_ssize_t size) noexcept nogil:
        if size > 0:
            if self._high:
                self._flush_high()
            self._take(data, size)

    cdef void boundary(self) noexcept nogil:
        if self._high:
            self._flush_high()
        if self._normal is not NULL:
            self._end_normal()
        tg_counter_boundary(<tg_counter *>self._state)

    cdef long long decided(self) noexcept nogil:
        cdef long long tokens = <long long>(<tg_counter *>self._state).decided
        if self._numerator == self._denominator:
            return tokens
        return (tokens * self._numerator + self._denominator - 1) // self._denominator

    cdef void _flush_high(self) noexcept nogil:
        self._high = 0
        self._take(<const uint8_t *>"\xef\xbf\xbd", 3)

    cdef void _take(self, const unsigned char *data, Py_ssize_t size) noexcept nogil:
        if self._normal is NULL:
            tg_counter_feed(<tg_counter *>self._state, data, <size_t>size)
        else:
            self._take_normal(data, size)

    cdef int _begin_normal(self) except -1:
        self._normal = malloc(sizeof(tg_normal))
        if self._normal is NULL:
            raise MemoryError
        (<tg_normal *>self._normal).size = 0
        (<tg_normal *>self._normal).read = 0
        (<tg_normal *>self._normal).behind = 0
        return 0

    # Counts up to the last place where the text may be cut; keeps a character and its marks.
    cdef void _take_normal(self, const unsigned char *data, Py_ssize_t size) noexcept nogil:
        cdef uint8_t text[TG_HELD_MAX + 4096]
        cdef tg_normal *normal = <tg_normal *>self._normal
        cdef size_t part, most = 4096
        if size <= 16 and normal.size + size <= TG_HELD_MAX:
            for part in range(<size_t>size):
                normal.held[normal.size + part] = data[part]
            self._take_held(normal.held, normal.size + <size_t>size, <size_t>size)
            return
        while size:
            part = min(<size_t>size, most)
            memcpy(text, normal.held, normal.size)
            memcpy(text + normal.size, data, part)
            if self._take_held(text, normal.size + part, part):
                data += part
                size -= part
            else:
                most = 256  # ordering marks takes time by the square of how many there are

    # The held bytes and `part` more behind them. 0: too many, with marks among them.
    cdef int _take_held(
        self, const unsigned char *text, size_t total, size_t part
    ) noexcept nogil:
        cdef tg_normal *normal = <tg_normal *>self._normal
        cdef tg_normal_cut found
        found = tg_normal_find(_marks, text, total, normal.read, normal.behind)
        if part > 256 and (found.before or found.behind):
            return 0
        if total - found.cut > TG_HELD_MAX:
            found.cut = found.read
            found.before = 1
            found.behind = 0
        if found.before:
            self._feed_normalized(text, found.cut)
        elif found.cut:
            tg_counter_feed(<tg_counter *>self._state, text, found.cut)
        normal.size = <uint32_t>(total - found.cut)
        normal.read = <uint32_t>(found.read - found.cut)
        normal.behind = found.behind
        if found.cut or text is not normal.held:
            memmove(normal.held, text + found.cut, normal.size)
        return 1

    cdef void _end_normal(self) noexcept nogil:
        cdef tg_normal *normal = <tg_normal *>self._normal
        cdef tg_normal_cut found
        if normal.size:
            found = tg_normal_find(_marks, normal.held, normal.size, 0, 0)
            if found.behind:
                self._feed_normalized(normal.held, normal.size)
            else:
                tg_counter_feed(<tg_counter *>self._state, normal.held, normal.size)
            normal.size = normal.read = 0
            normal.behind = 0

    cdef void _feed_normalized(self, const unsigned char *data, Py_ssize_t size) noexcept with gil:
        cdef bytes text = data[:size]
        try:
            text = unicodedata.normalize("NFC", text.decode("utf-8", "replace")).encode()
        except MemoryError:
            pass  # counted as it stands, for counting never fails
        tg_counter_feed(
            <tg_counter *>self._state, <const uint8_t *>PyBytes_AS_STRING(text), len(text)
        )

    cdef void _feed_str(self, object text) noexcept:
        cdef uint8_t utf8[1024]
        cdef size_t at = 0, written, size = <size_t>PyUnicode_GET_LENGTH(text)
        if not self._high and PyUnicode_IS_ASCII(text):
            self._take(<uint8_t *>PyUnicode_DATA(text), size)
            return
        while at < size:
            written = tg_transcode(
                PyUnicode_DATA(text), PyUnicode_KIND(text), size, &at, &self._high, utf8, 1024
            )
            self._take(utf8, written)

    cdef bint may_lend(self) noexcept:
        cdef _Vocabulary vocabulary = <_Vocabulary>self._vocabulary
        if vocabulary.twin is NULL and self._normal is NULL:
            vocabulary.twin = tg_vocab_twin(vocabulary.tables)
        return vocabulary.twin is not NULL and self._normal is NULL

    cdef void lend(self, bint away) noexcept nogil:
        cdef tg_vocab *vocab = (<_Vocabulary>self._vocabulary).tables
        if away:
            vocab = (<_Vocabulary>self._vocabulary).twin
        tg_counter_switch(<tg_counter *>self._state, vocab)

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
