# Compiled: every request passes here.

from gateway._native.jsonscan cimport usual_usage

cdef _usual(bytes raw, object max_tokens)
cpdef parse_report(bytes raw, object max_tokens=*)
