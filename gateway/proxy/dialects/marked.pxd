# Compiled: every request passes here.

cpdef bint is_marked(bytes body) except -1
cpdef bytes without_marked(bytes body)
