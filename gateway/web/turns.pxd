# Compiled: every request passes here.

cdef class Turns:
    cdef object _loop, _serve, _waiting
    cdef int _room
    cdef bint _turning

    cpdef serve(self, object connection, object request)
    cpdef turn(self)
