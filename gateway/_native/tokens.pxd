"""C-level interface of the token counter, for the other compiled modules.

The order of the methods is the binary interface: append, never reorder. The attributes are the
counter's own; others call the methods only.
"""

from libc.stdint cimport uint32_t


cdef class Counter:
    cdef readonly str encoding
    cdef readonly bint exact
    cdef object _vocabulary
    cdef void *_state
    cdef uint32_t _high          # the first half of a surrogate pair cut by two feeds of str
    cdef long long _numerator    # an estimate is the base encoding's count times this
    cdef long long _denominator
    cdef void *_normal           # a tg_normal where the text is brought to NFC first, or NULL
    # Any split of UTF-8 text; what is not valid UTF-8 counts as U+FFFD.
    cdef void feed_utf8(self, const unsigned char *data, Py_ssize_t size) noexcept nogil
    # Decides everything pending: text on both sides of a boundary never merges.
    cdef void boundary(self) noexcept nogil
    # Tokens decided so far; what is still pending is not in it.
    cdef long long decided(self) noexcept nogil
    cdef void _flush_high(self) noexcept nogil
    cdef void _feed_str(self, object text) noexcept
    cdef void _take(self, const unsigned char *data, Py_ssize_t size) noexcept nogil
    cdef int _begin_normal(self) except -1
    cdef void _take_normal(self, const unsigned char *data, Py_ssize_t size) noexcept nogil
    cdef void _end_normal(self) noexcept nogil
    cdef void _feed_normalized(self, const unsigned char *data, Py_ssize_t size) noexcept with gil
    cdef int _take_held(
        self, const unsigned char *text, size_t total, size_t part
    ) noexcept nogil
    # Whether it may count on another thread: all its work is done without the interpreter. The first
    # question makes the second copy of the tables that are written, some 5 MB; with the GIL held.
    cdef bint may_lend(self) noexcept
    # To that thread, or back. Only where it may; between two feeds.
    cdef void lend(self, bint away) noexcept nogil
