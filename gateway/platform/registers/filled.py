"""What was filled in for a register: read field by field, so all that is wrong is said at once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gateway.platform.refusals import Refusal

DAY_US: Final = 86_400 * 1_000_000
LINE: Final = 200
TEXT: Final = 2_000
MOST: Final = 10**12  # persons or records
# What is wrong, by a code that pages have words for, as the command line says it.
WRONG: Final = {
    "blank": "must be filled in",
    "too_long": "is too long",
    "unprintable": "holds characters that cannot be shown",
    "no_moment": "is written YEAR-MONTH-DAYTHOUR:MINUTE, in UTC",
    "no_day": "is written YEAR-MONTH-DAY",
    "no_number": "is a whole number",
    "no_choice": "is none of the choices",
    "future": "is still to come",
    "too_early": "is too early",
    "not_here": "belongs to a notification only",
}


class Unfit(Refusal):
    """Fields that cannot be used. `problems` has a code of WRONG for each."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name} {WRONG[code]}" for name, code in problems.items()))
        self.problems = dict(problems)


class Filled:
    """The fields, read one by one; `done` refuses if any could not be."""

    def __init__(self, fields: Mapping[str, str], now_us: int) -> None:
        self._fields = fields
        self._now_us = now_us
        self._problems: dict[str, str] = {}

    def wrong(self, name: str, code: str) -> None:
        """Note what is wrong with a field; what was noted first stays."""
        self._problems.setdefault(name, code)

    def done(self) -> None:
        """Raises Unfit."""
        if self._problems:
            raise Unfit(self._problems)

    def line(self, name: str, *, needed: bool = True) -> str:
        """One line of text."""
        found = self._text(name, LINE, needed)
        if not found.isprintable():
            self.wrong(name, "unprintable")
        return found

    def text(self, name: str, *, needed: bool = True) -> str:
        """Text of several lines."""
        found = self._text(name, TEXT, needed).replace("\r\n", "\n")
        if not found.replace("\n", "").isprintable():
            self.wrong(name, "unprintable")
        return found

    def _text(self, name: str, most: int, needed: bool) -> str:
        found = self._fields.get(name, "").strip()
        if needed and not found:
            self.wrong(name, "blank")
        if len(found) > most:
            self.wrong(name, "too_long")
        return found

    def number(self, name: str) -> int:
        """A whole number from zero on."""
        found = self._text(name, LINE, True)
        if not found.isascii() or not found.isdigit() or len(found) > 13 or int(found) > MOST:
            self.wrong(name, "no_number")
            return 0
        return int(found)

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """One of some words."""
        found = self._text(name, LINE, True)
        if found not in choices:
            self.wrong(name, "no_choice")
        return found

    def past_moment(self, name: str, *, needed: bool = True, least_us: int = 0) -> int | None:
        """A moment that was, not before another; None where it is left out."""
        found = self._text(name, LINE, needed)
        if not found:
            return None
        return self._checked(name, _moment_us(found), "no_moment", least_us)

    def past_day(self, name: str) -> int:
        """The start of a day that was, or of today."""
        return self._checked(name, _day_us(self._text(name, LINE, True)), "no_day", 0)

    def later_day(self, name: str, least_us: int) -> int | None:
        """The start of a day not before another, to come or not; None where it is left out."""
        found = self._text(name, LINE, False)
        at_us = _day_us(found) if found else None
        if found and at_us is None:
            self.wrong(name, "no_day")
        if at_us is not None and at_us < least_us:
            self.wrong(name, "too_early")
        return at_us

    def _checked(self, name: str, at_us: int | None, malformed: str, least_us: int) -> int:
        if at_us is None:
            self.wrong(name, malformed)
            return 0
        if at_us > self._now_us:
            self.wrong(name, "future")
        if at_us < least_us:
            self.wrong(name, "too_early")
        return at_us


def _moment_us(text: str) -> int | None:
    try:
        found = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return None
    if found.tzinfo is not None or "T" not in text.upper().replace(" ", "T") or found.year < 1970:
        return None
    return int(found.replace(tzinfo=UTC).timestamp()) * 1_000_000


def _day_us(text: str) -> int | None:
    try:
        found = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(found.timestamp()) * 1_000_000 if found.year >= 1970 else None
