# Compiled: every request passes here.

from gateway._native.jsonscan cimport RequestScan, scan_request
from gateway.proxy.exchange cimport Exchange
from gateway.proxy.fields cimport field, limit_spans
