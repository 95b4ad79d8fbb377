# Compiled: every request passes here.

cpdef carry(object cost_picousd, object remainder_picousd)
cpdef ceil_microusd(object cost_picousd)
