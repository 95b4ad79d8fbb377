# Compiled: every request passes here.

cimport cython

from gateway.proxy.exchange cimport Exchange
from gateway.proxy.routing.router cimport Router

@cython.locals(router=Router)
cpdef route(Exchange x)
