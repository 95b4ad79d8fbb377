# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange
from gateway.proxy.exchange cimport Plane

cpdef authenticate(Exchange x)
cpdef permit(Exchange x)
cpdef key_of(Plane plane, object authorization)
