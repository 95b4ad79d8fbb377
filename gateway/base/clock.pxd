# Compiled: every request asks for the time.

cdef class SystemClock:
    cpdef long long now_us(self) except -1
    cpdef double monotonic_s(self) except -1
