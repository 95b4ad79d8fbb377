# Compiled: every request passes here.

cimport cython

from gateway.proxy.dialects.endpoints cimport Endpoint
from gateway.proxy.routing.health cimport TargetHealth
from gateway.proxy.routing.keys cimport KeyPool


cdef class Step:
    cdef readonly object candidate  # a Candidate, or what a test takes for one
    cdef readonly long key_no
    cdef readonly double wait_s


cdef class Candidate:
    cdef readonly object model, cap
    cdef readonly TargetHealth health
    cdef readonly KeyPool keys
    cdef readonly list targets
    cdef readonly str name
    cdef readonly bint judged, timed, plain
    cdef readonly Step usual
    cdef dict _wires
    cdef object __weakref__

    cpdef Endpoint wire_for(self, Endpoint endpoint)
    cpdef answered(self, long key_no, double latency_s, double now_s)


cdef class Plan:
    cdef readonly object model
    cdef tuple _all
    cdef dict _by_endpoint

    @cython.locals(each=Candidate)
    cpdef tuple serving(self, Endpoint endpoint)


cdef class Router:
    cdef readonly object now_s, random
    cdef object _catalog, _limits, _snapshot
    cdef dict _plans, _health, _keys

    @cython.locals(plan=Plan)
    cpdef Plan plan(self, object model)
    cdef Candidate _candidate(self, object model, object target)
    cdef _swap(self, object snapshot)
