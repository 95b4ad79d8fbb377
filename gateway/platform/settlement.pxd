# Compiled: every request passes here.

cdef class _Pending:
    cdef object _settlements, _tell
    cdef public object charge, row
    cdef public bint refused

    cpdef on_durable(self)
