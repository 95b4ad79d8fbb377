# Compiled: every request passes here.

from gateway.platform.metering.usage cimport parse_report

cpdef read_report(str dialect, bytes raw, bytes start=*, object max_tokens=*)
