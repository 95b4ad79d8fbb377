# Compiled: every request passes here.

cdef class KeyRing:
    cdef object _inner, _outer
    cdef dict _by_digest

    cpdef find(self, object token)
