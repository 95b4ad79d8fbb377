# Compiled: every request passes here.

from gateway.proxy.exchange cimport Exchange
from gateway.proxy.affordable cimport affordable_tokens, holding_microusd
