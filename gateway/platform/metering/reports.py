"""Usage reports of Anthropic, Bedrock and Gemini, and which reader a dialect's report goes to.

The conventions differ from OpenAI's (see `usage`): Anthropic's `input_tokens` leaves cached tokens
out, its stream reports in two parts, and Gemini's `candidatesTokenCount` leaves thoughts out. Each
is brought into the one schema here. Writes to a cache of one hour are a unit of their own, since
they cost more. Sources: the API references of Anthropic (Messages, "Usage") and Google
(UsageMetadata). The same rules hold: untrusted numbers, absent is not zero.
"""

from typing import Any

import msgspec

from gateway.platform.metering.usage import (
    MAX_RECORDED,
    MAX_TOKENS,
    Insane,
    Report,
    Usage,
    parse_report,
    tokens,
)

CACHE_WRITE_1H = "cache_write_1h"
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_CONVERSE = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_input_tokens": "cacheReadInputTokens",
    "cache_creation_input_tokens": "cacheWriteInputTokens",
}
_decode = msgspec.json.Decoder().decode


def read_report(
    dialect: str, raw: bytes | None, start: bytes | None = None, max_tokens: int = MAX_TOKENS
) -> Report | None:
    """The report in a dialect's form; `start` is what Anthropic's message_start carried.

    None when nothing usable came; not `sane` where a number cannot be believed.
    """
    if dialect == "anthropic":
        first, last = _object(start), _object(raw)
        if first is not None and last is None:
            first.pop("output_tokens", None)  # a placeholder; the count comes at the end
        return _report(_merged(first, last), _anthropic, max_tokens)
    if dialect == "converse":
        return _report(_object(raw), _converse, max_tokens)
    if dialect == "gemini":
        return _report(_object(raw), _gemini, max_tokens)
    return parse_report(raw, max_tokens)


def _object(raw: bytes | None) -> dict[str, Any] | None:
    try:
        data = _decode(raw) if raw else None
    except (msgspec.DecodeError, ValueError):  # ValueError: an integer of too many digits
        return None
    return data if isinstance(data, dict) else None


def _report(data: dict[str, Any] | None, read: Any, max_tokens: int) -> Report | None:
    if data is None:
        return None
    try:
        report: Report | None = read(data, max_tokens)
    except Insane:
        loose: Report | None = read(_believable(data), MAX_RECORDED)
        ends = (None, None) if loose is None else (loose.input_total, loose.output_total)
        return Report(Usage(), *ends, False, False)
    if report is None or max(report.input_total or 0, report.output_total or 0) <= max_tokens:
        return report
    return report._replace(usage=Usage(), sane=False)


def _believable(data: dict[str, Any]) -> dict[str, Any]:
    """What of an insane report can be recorded: the whole numbers at its top."""
    return {
        name: value
        for name, value in data.items()
        if type(value) is int and 0 <= value <= MAX_RECORDED
    }


def _merged(start: dict[str, Any] | None, last: dict[str, Any] | None) -> dict[str, Any] | None:
    """Both parts of a stream's report as one: the last value of each field, never a sum.

    A last part with `input_tokens` of its own replaces the input as a whole: Moonshot's stream
    begins with the total and ends with what was not cached, so that taking fields one by one would
    count cached tokens twice. Only how cache writes divide may come from the start, where the last
    part still tells the same total of them.
    """
    if start is None or last is None:
        return last or start
    said = {name: value for name, value in last.items() if value is not None}
    merged = {**start, **said}
    if "input_tokens" not in said:
        return merged
    for name in _INPUT:
        if name not in said:
            merged.pop(name, None)
    written = said.get("cache_creation_input_tokens")
    if "cache_creation" not in said and written != start.get("cache_creation_input_tokens"):
        merged.pop("cache_creation", None)
    return merged


def _anthropic(data: dict[str, Any], limit: int) -> Report | None:
    fresh, written, read = (tokens(data, limit, name) for name in _INPUT)
    output = tokens(data, limit, "output_tokens")
    if fresh is None and output is None:
        return None
    split = data.get("cache_creation")
    parts = split if isinstance(split, dict) else {}
    short = tokens(parts, limit, "ephemeral_5m_input_tokens")
    long = tokens(parts, limit, "ephemeral_1h_input_tokens") or 0
    if written is None:
        written = (short or 0) + long
    inner = data.get("output_tokens_details")
    thought = tokens(inner if isinstance(inner, dict) else {}, limit, "thinking_tokens") or 0
    flagged = long > written or thought > (output or 0)
    long = min(long, written)
    total = None if fresh is None else fresh + written + (read or 0)
    usage = Usage(
        input=fresh or 0,
        cache_read=read or 0,
        cache_write=written - long,
        output=output or 0,
        reasoning=min(thought, output or 0),
        units=((CACHE_WRITE_1H, long),) if long else (),
    )
    return Report(usage, total, output, flagged, True)


def _converse(data: dict[str, Any], limit: int) -> Report | None:
    """Bedrock's counts in Anthropic's words; `cacheDetails` says how cache writes divide."""
    said = {name: data.get(theirs) for name, theirs in _CONVERSE.items()}
    details = data.get("cacheDetails")
    split = {
        f"ephemeral_{one.get('ttl')}_input_tokens": one.get("inputTokens")
        for one in (details if isinstance(details, list) else ())
        if isinstance(one, dict)
    }
    return _anthropic({**said, "cache_creation": split}, limit)


def _gemini(data: dict[str, Any], limit: int) -> Report | None:
    prompt = tokens(data, limit, "promptTokenCount")
    answer = tokens(data, limit, "candidatesTokenCount")
    thought = tokens(data, limit, "thoughtsTokenCount")
    if prompt is None and answer is None and thought is None:
        return None
    cached = tokens(data, limit, "cachedContentTokenCount") or 0
    tools = tokens(data, limit, "toolUsePromptTokenCount") or 0
    said = answer is not None or thought is not None
    output = (answer or 0) + (thought or 0)
    usage = Usage(
        input=max((prompt or 0) - cached, 0) + tools,
        cache_read=cached,
        output=output,
        reasoning=thought or 0,
    )
    total = None if prompt is None else prompt + tools
    return Report(usage, total, output if said else None, cached > (prompt or 0), True)
