# Compiled: every request passes here.

cdef class KeyRing:
    cdef object _inner, _outer, _packed
    cdef dict _by_digest

    cpdef object find(self, object token)
    cpdef object by_digest(self, bytes digest)
