"""The last verification of the ledger, kept for the pages that show it; a restart forgets it."""

from typing import NamedTuple

from gateway.platform.assembly import Platform
from gateway.platform.ledger.reconcile import Report

NAME = "ledger.report"  # in `Platform.live`


class Checked(NamedTuple):
    """A verification and when it ended, in epoch microseconds."""

    at_us: int
    report: Report


def last_check(platform: Platform) -> Checked | None:
    """The last verification since the start; None where there was none."""
    read = platform.live.get(NAME)
    return read() if read is not None else None


def keep_check(platform: Platform, report: Report) -> None:
    """Remember a verification."""
    checked = Checked(platform.clock.now_us(), report)
    platform.live[NAME] = lambda: checked
