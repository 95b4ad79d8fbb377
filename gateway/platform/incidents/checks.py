"""What may stand in an incident: its words, its times; and times as operators write them."""

from datetime import UTC, datetime
from typing import Final

from gateway.platform.incidents.board import DAY_US, TOLD_DAYS, Kind
from gateway.platform.refusals import Refusal

AHEAD_DAYS: Final = 365
LONGEST_DAYS: Final = 30  # of maintenance
MAX_TITLE: Final = 120
MAX_WORDS: Final = 1_200  # in any script within the size of a form
MAX_REASON: Final = 200


def parse_time(text: str) -> int | None:
    """A time written 2026-12-31T18:30, in UTC unless it says otherwise; None for an empty text.

    Raises Refusal for anything else.
    """
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return int(at.timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        raise Refusal("a time is written YEAR-MONTH-DAYTHOUR:MINUTE, in UTC") from None


def shown_time(at_us: int) -> str:
    """A time as it is written, to the second."""
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def check_times(kind: Kind, begins_us: int, ends_us: int | None, now_us: int) -> None:
    """When a new one begins and ends. Raises Refusal."""
    if begins_us < now_us - TOLD_DAYS * DAY_US:
        raise Refusal(f"it began at most {TOLD_DAYS} days ago")
    if kind == "incident" and begins_us > now_us:
        raise Refusal("an incident has begun; what is to come is maintenance")
    if begins_us > now_us + AHEAD_DAYS * DAY_US:
        raise Refusal("maintenance begins within a year")
    if ends_us is not None or kind == "maintenance":
        check_end(kind, begins_us, ends_us, now_us)


def check_end(kind: Kind, begins_us: int, ends_us: int | None, now_us: int) -> None:
    """When one ends. Raises Refusal."""
    if kind == "maintenance":
        most_us = begins_us + LONGEST_DAYS * DAY_US
        if ends_us is None or not begins_us < ends_us <= most_us:
            raise Refusal(f"maintenance ends after it begins, within {LONGEST_DAYS} days")
    elif ends_us is None or not begins_us <= ends_us <= now_us:
        raise Refusal("an incident ends after it began and not later than now")


def checked_title(text: str) -> str:
    """A title without space around it. Raises Refusal."""
    title = text.strip()
    if not title or len(title) > MAX_TITLE or not title.isprintable():
        raise Refusal(f"a title is 1 to {MAX_TITLE} printable characters")
    return title


def checked_reason(text: str) -> str:
    """Why one is withdrawn. Raises Refusal."""
    reason = text.strip()
    if not reason or len(reason) > MAX_REASON or not reason.isprintable():
        raise Refusal(f"a reason is 1 to {MAX_REASON} printable characters")
    return reason


def checked_words(words: str) -> str:
    """Lines of printable text, as they were typed. Raises Refusal."""
    text = "\n".join(line.rstrip() for line in words.strip().splitlines())
    if not text or len(text) > MAX_WORDS or not text.replace("\n", "").isprintable():
        raise Refusal(f"a text is 1 to {MAX_WORDS} printable characters, in lines")
    return text
