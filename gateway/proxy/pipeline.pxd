# Compiled: every request passes here.

from gateway.proxy.authenticate cimport authenticate, permit
from gateway.proxy.cache cimport answered_before
from gateway.proxy.exchange cimport Exchange
from gateway.proxy.settle cimport settle

cpdef close(Exchange x)
