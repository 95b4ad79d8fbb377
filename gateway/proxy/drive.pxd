# Compiled: wakes every request.

cdef class Drive:
    cdef object _coroutine, _loop, _awaited

    cdef _step(self)
    cpdef bint cancel(self) except -1


cpdef Drive drive(object coroutine, object loop)
