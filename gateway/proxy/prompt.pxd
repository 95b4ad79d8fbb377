# Compiled: every request passes here.

from gateway._native.jsonscan cimport RequestScan, scan_request
from gateway._native.tokens cimport Counter
from gateway.proxy.exchange cimport Exchange

cpdef count_prompt(Exchange x)
