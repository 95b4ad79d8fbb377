"""A counter that keeps what it is fed, so that tests can see the text a meter heard.

It must never be given to a meter of real traffic: a gateway keeps no text.
"""

from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from gateway._native.tokens cimport Counter


cdef class Recorder(Counter):
    """Counts as Counter does and keeps the bytes, a None in place of each boundary."""

    cdef char *kept
    cdef Py_ssize_t size, room
    cdef list marks

    def __cinit__(self, *arguments, **options):
        self.marks = []

    def __dealloc__(self):
        free(self.kept)

    cdef void feed_utf8(self, const unsigned char *data, Py_ssize_t size) noexcept nogil:
        cdef char *grown
        if self.size + size > self.room:
            grown = <char *>realloc(self.kept, 2 * (self.size + size))
            if grown == NULL:
                return
            self.kept = grown
            self.room = 2 * (self.size + size)
        memcpy(self.kept + self.size, data, size)
        self.size += size
        Counter.feed_utf8(self, data, size)

    cdef void boundary(self) noexcept nogil:
        with gil:
            self.marks.append(self.size)
        Counter.boundary(self)

    @property
    def text(self):
        """All bytes fed so far."""
        return self.kept[:self.size] if self.size else b""

    @property
    def pieces(self):
        """The bytes between boundaries, empty pieces left out."""
        text, start, out = self.text, 0, []
        for mark in [*self.marks, self.size]:
            if mark > start:
                out.append(text[start:mark])
            start = mark
        return out
