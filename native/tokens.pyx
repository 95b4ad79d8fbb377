"""Counts tokens as text passes: the thin Python face of the C kernels in native/c.

A stand-in for now: it counts four bytes as one token, so that the modules which cimport it build.
It must know nothing of JSON, SSE, prices or the rest of the gateway.
"""


cdef class Counter:

    def __init__(self, str encoding not None):
        self.encoding = encoding
        self.exact = False

    cdef void feed_utf8(self, const unsigned char *data, Py_ssize_t size) noexcept nogil:
        self._bytes += size
        self._decided += self._bytes // 4
        self._bytes %= 4

    cdef void boundary(self) noexcept nogil:
        self._decided += self._bytes > 0
        self._bytes = 0

    cdef long long decided(self) noexcept nogil:
        return self._decided

    def feed(self, text):
        cdef bytes data = text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)
        self.feed_utf8(<const unsigned char *><char *>data, len(data))

    @property
    def count(self):
        return self._decided

    def finish(self):
        self.boundary()
        return self._decided


def count(text, str encoding not None):
    counter = Counter(encoding)
    counter.feed(text)
    return counter.finish()
