"""Rate limits as header lines, in the forms that clients of OpenAI and of Anthropic read.

Sources: OpenAI API guide "Rate limits", headers (`x-ratelimit-*`; a reset is a duration such as
`12ms`, `1s` or `6m0s`); Anthropic API "Rate limits", response headers (`anthropic-ratelimit-*`; a
reset is a moment, RFC 3339). Built only for accounts and keys that have limits.
"""

from datetime import UTC, datetime

from gateway.platform.limits.limiter import Standing
from gateway.proxy.dialects.endpoints import Family

NS_PER_MS = 10**6


def limit_headers(
    requests: Standing | None, tokens: Standing | None, now_us: int, family: Family
) -> bytes:
    """The lines for whichever rates are limited; Anthropic's besides to its clients."""
    lines = ""
    for noun, standing in (("requests", requests), ("tokens", tokens)):
        if standing is None:
            continue
        limit, remaining, reset_ns = standing
        lines += (
            f"x-ratelimit-limit-{noun}: {limit}\r\n"
            f"x-ratelimit-remaining-{noun}: {remaining}\r\n"
            f"x-ratelimit-reset-{noun}: {duration(reset_ns)}\r\n"
        )
        if family == "anthropic":
            name = f"anthropic-ratelimit-{noun}"
            lines += (
                f"{name}-limit: {limit}\r\n{name}-remaining: {remaining}\r\n"
                f"{name}-reset: {moment(now_us + -(-reset_ns // 1000))}\r\n"
            )
    return lines.encode("ascii")


def duration(ns: int) -> str:
    """A duration as OpenAI writes it, rounded up: `0s`, `12ms`, `1.5s`, `6m0s`, `1h0m0s`."""
    ms = -(-ns // NS_PER_MS)
    if 0 < ms < 1000:
        return f"{ms}ms"
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{seconds}.{ms:03d}".rstrip("0").rstrip(".") + "s" if ms else f"{seconds}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def moment(at_us: int) -> str:
    """Epoch microseconds as RFC 3339 in UTC, rounded up to the second."""
    return datetime.fromtimestamp(-(-at_us // 10**6), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
