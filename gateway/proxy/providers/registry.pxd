# Compiled: every request passes here.

cdef class Upstreams:
    cdef dict _kinds, _built

    cpdef of(self, object provider)
