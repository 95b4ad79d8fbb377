# Compiled: every request passes here.

cimport cython

from gateway.base.telemetry cimport RequestSeries
from gateway.platform.ledger.holds cimport Charge
from gateway.platform.keys.ring cimport Key
from gateway.proxy.exchange cimport Exchange

@cython.locals(tokens=tuple, key=Key)
cpdef record(Exchange x)
cdef long long elapsed_ms(Exchange x, double until_s) except? -1
cdef observe(Exchange x, RequestSeries series, long long duration_ms, tuple tokens)
cdef log_line(Exchange x, str model, long long duration_ms)
@cython.locals(headers=dict)
cdef str application_of(Exchange x, Key key)
@cython.locals(charge=Charge, begun=tuple, ended=tuple)
cdef row_of(Exchange x, Key key, str model, str provider, long long duration_ms, tuple tokens)
