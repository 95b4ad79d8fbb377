# Compiled: every request passes here.

cimport cython


cdef class Bulk:
    cdef long _width
    cdef object _build, _alone
    cdef dict _texts

    @cython.locals(size=long, step=long, at=long, end=long, touched=long)
    cpdef run(self, object connection, object flat)
