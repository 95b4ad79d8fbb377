# Compiled: every request passes here.

cdef class IdFactory:
    cdef object _random, _pool, _clock
    cdef long _at, _counter

    cpdef make(self, object prefix)
