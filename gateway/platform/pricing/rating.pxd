# Compiled: every request passes here.

cpdef rate(object usage, object price)
