# Compiled: every request passes here.

cpdef parse_report(object raw, object max_tokens=*)
