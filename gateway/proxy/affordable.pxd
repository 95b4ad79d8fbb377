# Compiled: every request passes here.

from gateway.platform.pricing.rating cimport rate_input
from gateway.base.money cimport ceil_microusd
from gateway.proxy.exchange cimport Exchange

cpdef reckon_text(Exchange x, object price)
cpdef holding_microusd(Exchange x, object output_tokens)
cpdef affordable_tokens(Exchange x, object amount_microusd)
