# Compiled: every request passes here.

from gateway.platform.keys.ring cimport Key, KeyRing, Recall
from gateway.proxy.exchange cimport Exchange, Plane

cpdef authenticate(Exchange x)
cpdef permit(Exchange x)
cpdef Key key_of(Plane plane, str authorization, Recall recall=*)
