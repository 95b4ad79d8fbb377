# Compiled: the first request of every key passes here.

cdef class PackedKeys:
    cdef readonly set ended
    cdef bytes _digests
    cdef object _numbers, _accounts, _by_no
    cdef dict _rest

    cpdef object number(self, bytes digest)
