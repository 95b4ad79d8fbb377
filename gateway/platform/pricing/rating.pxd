# Compiled: every request passes here.

cpdef rate(object usage, object price)
cpdef rate_input(object tokens, object price)
cdef _bounded(object cost_picousd)
