# Compiled: every request passes here.

from gateway.proxy.dialects.endpoints cimport Endpoint
from gateway.proxy.exchange cimport Exchange

cpdef str versionless(Endpoint wire)
