"""An incident as a value, and which of them are told when: open, planned, over, announced.

Decided from the clock's time alone; nothing here knows a database.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Kind = Literal["incident", "maintenance"]
Phase = Literal["planned", "open", "over", "withdrawn"]
KINDS: Final[tuple[Kind, ...]] = ("incident", "maintenance")
DAY_US: Final = 86_400 * 1_000_000
TOLD_DAYS: Final = 90  # how long the public sees what is over
NOTICE_DAYS: Final = 3  # maintenance that begins within these is announced in the console


class Update(NamedTuple):
    """What was added later. `at_us`: epoch microseconds."""

    at_us: int
    words: str
    entered_by: str


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident or maintenance with its updates, oldest first. Times in epoch microseconds."""

    id: str
    kind: Kind
    title: str
    words: str
    models: tuple[str, ...]  # none: all
    begins_us: int
    ends_us: int | None
    entered_us: int
    entered_by: str
    withdrawn_us: int | None
    withdrawn_by: str | None
    withdrawn_for: str | None
    updates: tuple[Update, ...] = ()

    def phase(self, now_us: int) -> Phase:
        """Where it stands at a time."""
        if self.withdrawn_us is not None:
            return "withdrawn"
        if self.begins_us > now_us:
            return "planned"
        return "open" if self.ends_us is None or self.ends_us > now_us else "over"


class Board(NamedTuple):
    """What the public sees: open now, planned (the nearest first), over (the newest first)."""

    open: list[Incident]
    planned: list[Incident]
    over: list[Incident]


class Announced(NamedTuple):
    """The one thing that the console tells of: what is open, or what begins soon."""

    kind: Kind
    title: str
    begins_us: int
    ends_us: int | None
    open: bool


def board_of(told: Iterable[Incident], now_us: int) -> Board:
    """What is told at a time, of those that the public may see."""
    since_us, board = now_us - TOLD_DAYS * DAY_US, Board([], [], [])
    for each in sorted(told, key=lambda one: one.begins_us, reverse=True):
        phase = each.phase(now_us)
        if phase == "open":
            board.open.append(each)
        elif phase == "planned":
            board.planned.insert(0, each)
        elif each.ends_us is not None and each.ends_us > since_us:
            board.over.append(each)
    board.open.sort(key=lambda one: one.kind)  # incidents before maintenance
    return board


def announced_of(board: Board, now_us: int) -> Announced | None:
    """What the console tells of a board, if there is anything."""
    soon_us = now_us + NOTICE_DAYS * DAY_US
    soon = [each for each in board.planned if each.begins_us <= soon_us]
    for each in board.open or soon:
        return Announced(each.kind, each.title, each.begins_us, each.ends_us, bool(board.open))
    return None
