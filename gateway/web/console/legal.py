"""The facts that legal texts state: numbers that the settings set and the software keeps.

A text holds no number of its own; it is filled from here, and each fact is the very constant or
setting that the software obeys, so that page and practice cannot differ. The date is that of the
texts' last change.
"""

from typing import Final, NamedTuple

from gateway.base.config import Settings
from gateway.platform.accounts.entrance import RESET_LIFETIME_US
from gateway.platform.accounts.guesses import ACCOUNT_LIMIT, WINDOW_US
from gateway.platform.accounts.sign_up import LINK_LIFETIME_US
from gateway.platform.catalog.schedule import NOTICE_DAYS
from gateway.platform.keys.short import LIFETIME_US

TEXT_DATE_US: Final = 1_795_564_800_000_000  # 2026-11-25
COOKIE_YEAR_DAYS: Final = 365
HOUR_US: Final = 3_600 * 10**6
MINUTE_US: Final = 60 * 10**6


class Facts(NamedTuple):
    """What this place does and enforces; what it does not is not stated."""

    version: str
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
        updated_us=TEXT_DATE_US,
        minimum_age=settings.accounts_minimum_age,
        session_days=settings.accounts_session_days,
        choice_days=COOKIE_YEAR_DAYS,
        notice_days=NOTICE_DAYS,
        confirm_hours=LINK_LIFETIME_US // HOUR_US,
        reset_minutes=RESET_LIFETIME_US // MINUTE_US,
        guess_limit=ACCOUNT_LIMIT,
        guess_minutes=WINDOW_US // MINUTE_US,
        playground_minutes=LIFETIME_US // MINUTE_US,
        bcrypt_cost=settings.accounts_bcrypt_cost,
        cache_hours=settings.cache_max_ttl_s // 3_600,
    )
