"""Incidents on the page of the status: which days of which model's strip had one."""

from collections.abc import Iterable

from gateway.platform.incidents import Board
from gateway.platform.incidents.board import DAY_US

Marks = dict[str, dict[int, list[str]]]


def marked_days(board: Board, models: Iterable[str], today: int, days: int) -> Marks:
    """By model and by the beginning of a day, the titles of that day's incidents."""
    told = [each for each in (*board.open, *board.over) if each.kind == "incident"]
    marks: Marks = {name: {} for name in models}
    for each in reversed(told):
        first = max(each.begins_us // DAY_US, today - days + 1)
        last = today if each.ends_us is None else min(each.ends_us // DAY_US, today)
        for name in each.models or marks:
            for day in range(first, last + 1) if name in marks else ():
                marks[name].setdefault(day * DAY_US, []).append(each.title)
    return marks
