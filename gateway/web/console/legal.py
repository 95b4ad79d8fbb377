"""The facts that legal texts state: numbers that the settings set and the software keeps.

A text holds no number of its own; it is filled from here, so that page and practice cannot differ.
The dates are those of the texts' last change.
"""

from typing import Final, NamedTuple

from gateway.base.config import Settings

TEXT_DATE_US: Final = 1_795_219_200_000_000  # 2026-11-21
COOKIE_YEAR_DAYS: Final = 365


class Facts(NamedTuple):
    """What this place does and enforces, in days and years; what it does not is not stated."""

    version: str
    updated_us: int
    minimum_age: int
    session_days: int
    choice_days: int


def facts(settings: Settings) -> Facts:
    """The facts of the strict policy with the operator's settings."""
    return Facts(
        version=settings.accounts_terms_version,
        updated_us=TEXT_DATE_US,
        minimum_age=settings.accounts_minimum_age,
        session_days=settings.accounts_session_days,
        choice_days=COOKIE_YEAR_DAYS,
    )
