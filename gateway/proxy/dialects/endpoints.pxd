# Compiled: every request passes here.

cdef class Endpoint:
    cdef readonly str name, path, dialect, max_tokens_field, media, family
    cdef readonly bint streams, usage_option, counts


cpdef find(bytes path)
