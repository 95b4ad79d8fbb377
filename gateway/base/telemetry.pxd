# Compiled: every request passes here.

cdef class Histogram:
    cdef public list buckets
    cdef public object count, sum_ms

    cpdef observe(self, long long value_ms)


cdef class RequestSeries:
    cdef public Histogram duration, first_token
    cdef public object input_tokens, output_tokens, cost_microusd


cdef class Metrics:
    cdef public dict requests, counters, gauges

    cpdef RequestSeries series(self, str model, str provider, long status)
    cpdef count(self, str name, object amount=*)
