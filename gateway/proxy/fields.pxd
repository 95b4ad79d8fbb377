# Compiled: every request passes here.

cpdef field(object body, object span)
