# Compiled: every request passes here.

from gateway.proxy.affordable cimport holding_microusd, reckon_text
from gateway.proxy.exchange cimport Exchange
from gateway.proxy.prompt cimport count_prompt
from gateway.proxy.routing.health cimport TargetHealth
from gateway.proxy.routing.router cimport Candidate, Step
from gateway.proxy.upstream.attempt cimport Attempt
from gateway.proxy.upstream.lines cimport extra_headers

cdef Attempt begin(Exchange x, object wire, bytes request, object metering)
cdef end(Exchange x, Attempt attempt)
cdef bint stale(Attempt attempt) except -1
cdef bint conclude(Exchange x, Attempt attempt, object upstream, object metering) except -1
cdef leave(Exchange x, Attempt attempt, object metering)
cdef fail(Exchange x, Attempt attempt, object metering)
cdef finish_stream(Exchange x, Attempt attempt, object metering)
cdef check_body(Exchange x, Attempt attempt, object upstream)
cdef finish_body(Exchange x, Attempt attempt, object metering, object body)
