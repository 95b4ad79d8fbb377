"""The facts that legal texts state: numbers that the settings set and the software keeps.

A text holds no number of its own; it is filled from here, and each fact is the very constant or
setting that the software obeys, so that page and practice cannot differ. A version that is a date
says when the operator took the texts up; beside any other stands when the software's own words
last changed, which a test holds against them.
"""

from datetime import date
from typing import Final, NamedTuple

from gateway.base.config import Settings
from gateway.platform.accounts.guesses import ACCOUNT_LIMIT, WINDOW_US
from gateway.platform.catalog.schedule import NOTICE_DAYS
from gateway.platform.keys.short import LIFETIME_US
from gateway.web.console.lifetimes import DAY_US, LIFETIMES, MINUTE_US

TEXT_DATE_US: Final = 1_795_737_600_000_000  # 2026-11-27
TEXT_DIGEST: Final = "80bf1df04c0fad6b"  # of their templates on that day
COOKIE_YEAR_DAYS: Final = 365


class Facts(NamedTuple):
    """What this place does and enforces; what it does not is not stated."""

    version: str
    version_us: int | None  # where the version is a date
    updated_us: int
    minimum_age: int
    session_days: int
    choice_days: int
    notice_days: int
    confirm_hours: int
    reset_minutes: int
    guess_limit: int
    guess_minutes: int
    playground_minutes: int
    bcrypt_cost: int
    cache_hours: int


def facts(settings: Settings) -> Facts:
    """The facts of the strict policy with the operator's settings."""
    return Facts(
        version=settings.accounts_terms_version,
        version_us=_day_us(settings.accounts_terms_version),
        updated_us=TEXT_DATE_US,
        minimum_age=settings.accounts_minimum_age,
        session_days=settings.accounts_session_days,
        choice_days=COOKIE_YEAR_DAYS,
        notice_days=NOTICE_DAYS,
        confirm_hours=LIFETIMES.confirm_hours,
        reset_minutes=LIFETIMES.reset_minutes,
        guess_limit=ACCOUNT_LIMIT,
        guess_minutes=WINDOW_US // MINUTE_US,
        playground_minutes=LIFETIME_US // MINUTE_US,
        bcrypt_cost=settings.accounts_bcrypt_cost,
        cache_hours=settings.cache_max_ttl_s // 3_600,
    )


def _day_us(version: str) -> int | None:
    """The beginning of the day that a version names, such as 2026-12-01; None for any other."""
    try:
        day = date.fromisoformat(version)
    except ValueError:
        return None
    return (day - date(1970, 1, 1)).days * DAY_US
