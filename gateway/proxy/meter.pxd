# Compiled: every request passes here.

from gateway._native.jsonscan cimport BodyMeter
from gateway.platform.metering.reports cimport read_report
from gateway.proxy.affordable cimport affordable_tokens, holding_microusd
from gateway.proxy.dialects.endpoints cimport Endpoint
from gateway.proxy.exchange cimport Exchange

cdef priced(object usage, object price)
