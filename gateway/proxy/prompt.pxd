# Compiled: every request passes here.

cimport cython

from gateway._native.jsonscan cimport RequestScan, scan_request
from gateway._native.tokens cimport Counter
from gateway.platform.metering.framing cimport framed_prompt_tokens
from gateway.proxy.exchange cimport Exchange

@cython.locals(counter=Counter, scan=RequestScan)
cpdef count_prompt(Exchange x)
