# Compiled: the request path reads these fields at every step.

from gateway._native.jsonscan cimport RequestScan
from gateway.base.ids cimport IdFactory
from gateway.base.telemetry cimport Metrics
from gateway.platform.keys.ring cimport Key, KeyRing, Recall
from gateway.proxy.dialects.endpoints cimport Endpoint
from gateway.platform.ledger.holds cimport Bank, Charge, Hold
from gateway.proxy.routing.router cimport Router, Step


cdef class Plane:
    cdef public object active, applications, attempts, cache, carrier, catalog, clock, limiter
    cdef public object limits, place
    cdef public Metrics metrics
    cdef public object loop, origin, pool, pseudonym, settings, settlements
    cdef public object upstreams
    cdef public Bank bank
    cdef public Router router
    cdef public KeyRing keys
    cdef public IdFactory ids
    cdef public long draining
    cdef public bint log_requests, stopping, short_of_memory


cdef class Exchange:
    cdef public Plane plane
    cdef public object client
    cdef public Endpoint endpoint, wire
    cdef public bytes body
    cdef public str authorization, id
    cdef public dict headers
    cdef public double started_s
    cdef public long long started_us
    cdef public RequestScan scan
    cdef public object conversation, model_name, max_tokens, media
    cdef public bint stream, usage_asked
    cdef public long choices
    cdef public Recall recall
    cdef public Key key
    cdef public object model, fallback_names, fallbacks, price, grant, longest_output
    cdef public Hold hold
    cdef public Charge charge
    cdef public object input_picousd, output_picousd, clamped_tokens, candidates
    cdef public Step step
    cdef public object race, target, attempt, trail, first_token_s
    cdef public long attempts
    cdef public object measured_input, measured_output, files, reported_input, reported_output
    cdef public bint measured_exact
    cdef public object usage, basis, lines, silent_s, tail, outcome, error
    cdef public bint answered, shown
    cdef public long status
    cdef object __weakref__

    cdef _begin_answer(self)
    cpdef client_gone(self)
    cpdef pause(self)
    cpdef resume(self)
