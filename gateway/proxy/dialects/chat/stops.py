"""Why an answer ended, in the chat dialect's words and in the neutral ones.

`finish_reason` (OpenAI API reference) has no word for a stop sequence, a pause or a refusal. A
provider that says `stop` after it called tools means `tool_calls` (OpenAI itself does so where one
function is forced).
"""

from gateway.proxy.dialects.neutral import Stop

READ: dict[str, Stop] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",  # Mistral
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",  # GLM
}
# The answer broke off; what there is must not pass for a whole one.
BROKEN = frozenset(("error", "network_error", "insufficient_system_resource"))

WRITTEN: dict[Stop, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",  # `stop` where the words of refusal were written
    "pause": "stop",
}


def read_stop(reason: str, *, called: bool, refused: bool) -> Stop:
    """The neutral word; a reason that is unknown counts as a usual end."""
    stop = READ.get(reason, "stop")
    if stop == "stop" and called:
        return "tool_calls"
    if stop == "stop" and refused:
        return "refusal"
    return stop


def write_stop(stop: Stop, *, refused: bool) -> str:
    """The chat dialect's word; `refused` when words of refusal were written."""
    return "stop" if refused and stop == "refusal" else WRITTEN[stop]
