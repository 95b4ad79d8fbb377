# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange
from gateway.proxy.affordable cimport affordable_tokens, holding_microusd, reckon_text
from gateway.platform.pricing.rating cimport rate, rate_input
from gateway.proxy.prompt cimport count_prompt

cpdef find_model(Exchange x)
