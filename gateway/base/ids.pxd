# Compiled: every request passes here.

cimport cython


cdef class IdFactory:
    cdef object _random, _clock
    cdef str _pool
    cdef long _at, _counter

    @cython.locals(at=long, now_us=cython.longlong)
    cpdef str make(self, str prefix)
