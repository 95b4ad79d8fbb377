# Compiled: every request passes here.

cdef class TargetHealth:
    cdef public object provider, model, state, open_until_s, latency_s
    cdef public bint troubled
    cdef public long in_flight, requests, retries, failures
    cdef object _limits, _random, _consecutive, _failed_s, _openings, _window_s, _window_failures
    cdef object _window_successes, _probing_s, _tokens, _earned_at, _latency_at_s, _samples
    cdef object __weakref__

    cpdef started(self, object now_s)
    cdef bint _too_many(self) except -1
    cdef _open(self, object now_s)
    cdef _clear(self)
