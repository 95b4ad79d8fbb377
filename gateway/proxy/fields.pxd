# Compiled: every request passes here.

from gateway._native.jsonscan cimport RequestScan

cpdef field(object body, object span)
cpdef list limit_spans(RequestScan scan, bint gemini)
