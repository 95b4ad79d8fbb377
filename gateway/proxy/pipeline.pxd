# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange
from gateway.proxy.authenticate cimport authenticate, permit
from gateway.proxy.settle cimport settle

cpdef close(Exchange x)
