# Compiled: every request passes here.

cdef class KeyPool:
    cdef public list providers
    cdef public bint troubled
    cdef public list _until_s, _reasons
    cdef public object _turn
