# Compiled: every request passes here.

cdef class Histogram:
    cdef public list buckets
    cdef public object count, sum_ms

    cpdef observe(self, object value_ms)


cdef class RequestSeries:
    cdef public Histogram duration, first_token
    cdef public object input_tokens, output_tokens, cost_microusd
