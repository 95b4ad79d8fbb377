"""The options of a sandbox model: the table of them, and how `name:a=1,b=2` is read.

Pure. Every option is a row of `TABLE`, which the README's table is made from. Nothing here knows
what an option does to an answer.
"""

from typing import NamedTuple

import msgspec

ERROR_STATUSES = (400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504)
FAULTS = ("reset", "hang", "cut", "error")
USAGES = ("exact", "none", "zero", "absurd")


class OptionError(ValueError):
    """An option is unknown or its value is wrong; the text says which values there are."""


class Option(NamedTuple):
    """One row: a whole number within `least..most`, or one of `choices`."""

    name: str
    help: str
    least: int = 0
    most: int = 0
    choices: tuple[int | str, ...] = ()


TABLE: tuple[Option, ...] = (
    Option("tokens", "Tokens of the answer (default 64; echo: the whole text).", 0, 1_000_000),
    Option("tps", "Tokens per second; 0 is at once (default: streams 100, JSON 0).", 0, 100_000),
    Option("delay_ms", "Milliseconds before the answer begins.", 0, 600_000),
    Option("seed", "Another text for every number.", 0, 2**31 - 1),
    Option("think", "Tokens of reasoning before the answer.", 0, 100_000),
    Option("tool", "Call the first N of the request's tools, in parallel.", 0, 16),
    Option("cached", "Prompt tokens reported as read from a cache.", 0, 2**31 - 1),
    Option("usage", "The usage reported; all but `exact` are wrong on purpose.", choices=USAGES),
    Option("error", "Answer with this HTTP status instead.", choices=ERROR_STATUSES),
    Option("retry_after", "Seconds in Retry-After of error=429 and 503 (default 1).", 0, 3600),
    Option(
        "fault",
        "Fail after `at` tokens: reset the connection, hang, cut the answer inside an event, or"
        " send an error inside it.",
        choices=FAULTS,
    ),
    Option("at", "Streamed tokens before the fault; 0 is before the answer begins.", 0, 1_000_000),
)
_BY_NAME = {option.name: option for option in TABLE}


class Options(msgspec.Struct, frozen=True):
    """The values for one request; None means not given."""

    tokens: int | None = None
    tps: int | None = None
    delay_ms: int = 0
    seed: int | None = None
    think: int = 0
    tool: int = 0
    cached: int = 0
    usage: str = "exact"
    error: int = 0
    retry_after: int = 1
    fault: str = ""
    at: int = 0


def split_model(name: str) -> tuple[str, str]:
    """`sandbox/lorem:tps=5` to `("sandbox/lorem", "tps=5")`."""
    base, _, text = name.partition(":")
    return base, text


def parse_options(*texts: str) -> Options:
    """Read `a=1,b=2`; a later text wins over an earlier one. Raises OptionError."""
    values: dict[str, int | str] = {}
    for text in texts:
        for part in text.split(",") if text else ():
            name, equals, raw = part.strip().partition("=")
            option = _BY_NAME.get(name)
            if option is None:
                known = ", ".join(_BY_NAME)
                raise OptionError(f"Unknown sandbox option {name[:32]!r}; there are: {known}.")
            if not equals:
                raise OptionError(f"The sandbox option {name} needs a value: {name}=...")
            values[name] = _value(option, raw.strip())
    return msgspec.convert(values, Options)


def _value(option: Option, raw: str) -> int | str:
    if option.choices:
        for choice in option.choices:
            if raw == str(choice):
                return choice
        allowed = ", ".join(map(str, option.choices))
        raise OptionError(f"The sandbox option {option.name} is one of: {allowed}.")
    if raw.isascii() and raw.isdigit() and len(raw) <= 10:
        value = int(raw)
        if option.least <= value <= option.most:
            return value
    raise OptionError(
        f"The sandbox option {option.name} is a whole number from {option.least} to {option.most}."
    )
