# Compiled: every request passes here.

from gateway.platform.pricing.rating cimport rate
from gateway.proxy.exchange cimport Exchange

cpdef settle(Exchange x)
