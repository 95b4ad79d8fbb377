# Compiled: wakes every request.

cdef class Drive:
    cdef object _coroutine, _loop, _awaited

    cpdef bint cancel(self) except -1
