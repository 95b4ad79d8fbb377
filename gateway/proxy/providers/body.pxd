# Compiled: every request passes here.

from gateway._native.jsonscan cimport RequestScan
from gateway.proxy.dialects.endpoints cimport Endpoint
from gateway.proxy.dialects.marked cimport without_marked
from gateway.proxy.exchange cimport Exchange
from gateway.proxy.fields cimport field, limit_spans

cpdef request_body(Exchange x, object target)
cpdef rewritten(Exchange x, object target)
