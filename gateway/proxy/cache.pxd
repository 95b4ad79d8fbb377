# Compiled: every request passes here.

from gateway.platform.keys.ring cimport Key
from gateway.proxy.exchange cimport Exchange

cpdef bint answered_before(Exchange x) except -1
