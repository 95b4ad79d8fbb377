# Compiled: every request asks for the time.

cimport cython


cdef class SystemClock:
    @cython.locals(now_ns=cython.longlong)
    cpdef long long now_us(self) except -1
    cpdef double monotonic_s(self) except -1
