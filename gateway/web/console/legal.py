"""The facts that legal texts state: the policy table's numbers as they hold under the settings.

A text holds no number of its own; it is filled from here, and each fact is the very number that
the software obeys, so that page and practice cannot differ. A version that is a date says when the
operator took the texts up; beside any other stands when the software's own words last changed,
which a test holds against them.
"""

from datetime import date
from typing import Final, NamedTuple

from gateway.base.config import Settings
from gateway.platform.policy import in_force
from gateway.web.console.lifetimes import DAY_US

TEXT_DATE_US: Final = 1_795_737_600_000_000  # 2026-11-27
TEXT_DIGEST: Final = "ea1d99f8b0fab186"  # of their templates on that day


class Facts(NamedTuple):
    """What this place does and enforces, by the names of the policy table."""

    version: str
    version_us: int | None  # where the version is a date
    updated_us: int
    minimum_age: int
    session_days: int
    choice_days: int
    bcrypt_cost: int
    encryption_bits: int
    price_notice_days: int
    cache_hours: int
    confirm_hours: int
    reset_minutes: int
    guess_limit: int
    guess_minutes: int
    playground_minutes: int


# Which numbers of the table each text states.
STATED: Final = {
    "privacy": (
        *("cache_hours", "encryption_bits", "bcrypt_cost", "session_days"),
        *("guess_limit", "guess_minutes", "confirm_hours", "reset_minutes"),
    ),
    "terms": ("minimum_age", "price_notice_days"),
    "cookies": ("session_days", "choice_days", "choice_days", "playground_minutes"),
}


def facts(settings: Settings) -> Facts:
    """The facts under the operator's settings."""
    standing = in_force(settings)
    stated = {name for names in STATED.values() for name in names}
    return Facts(
        version=settings.accounts_terms_version,
        version_us=_day_us(settings.accounts_terms_version),
        updated_us=TEXT_DATE_US,
        **{name: standing[name].value for name in stated},
    )


def _day_us(version: str) -> int | None:
    """The beginning of the day that a version names, such as 2026-12-01; None for any other."""
    try:
        day = date.fromisoformat(version)
    except ValueError:
        return None
    return (day - date(1970, 1, 1)).days * DAY_US
