"""The facts that legal texts state: the policy table's numbers as they hold under the settings.

A text holds no number of its own; it is filled from here, and each fact is the very number that
the software obeys, so that page and practice cannot differ. A version that is a date says when the
operator took the texts up; beside any other stands when the software's own words last changed,
which a test holds against them. What the texts say as a whole is a `State`, of which versions are
made: its digests are those of the templates' parts, each by what it is about.
"""

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from gateway.base.config import Settings
from gateway.platform.catalog import Provider
from gateway.platform.policy import in_force
from gateway.platform.policy.changes import State
from gateway.platform.policy.versions import Version
from gateway.web.console.lifetimes import DAY_US
from gateway.web.console.offers import sources

TEXT_DATE_US: Final = 1_795_737_600_000_000  # 2026-11-27
TEXT_DIGEST: Final = "a11dffad3d246d7b"  # of their templates on that day


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
    policy_notice_days: int
    spread_networks: int  # 0: keys are not watched
    spread_hours: int
    applications: bool  # whether the log says which application sent a request
    since_us: int | None = None  # from when the version in force holds


# Which numbers of the table each text states.
STATED: Final = {
    "privacy": (
        *("cache_hours", "encryption_bits", "bcrypt_cost", "session_days"),
        *("guess_limit", "guess_minutes", "confirm_hours", "reset_minutes"),
        *("spread_networks", "spread_hours"),
    ),
    "terms": ("minimum_age", "price_notice_days", "policy_notice_days"),
    "cookies": ("session_days", "choice_days", "choice_days", "playground_minutes"),
}


# What each part of the texts is about: the class of material change that another wording is. A
# heading of the text on privacy that is not here is about rights, like all of the terms.
_ABOUT: Final = {
    "What passes through": "purposes",
    "What is kept": "data",
    "How long": "retention",
    "Who else receives it": "parties",
    "Your rights": "rights",
}
_HEADING: Final = re.compile(r'<h2>\{\{ _\("(.*?)"\) \}\}</h2>')
_TEMPLATES: Final = Path(__file__).parent / "templates" / "public"


def facts(settings: Settings, version: Version | None = None) -> Facts:
    """The facts under the operator's settings, and the version in force where one was noted."""
    name = settings.accounts_terms_version if version is None else version.name
    standing = in_force(settings)
    stated = {name for names in STATED.values() for name in names}
    return Facts(
        version=name,
        version_us=_day_us(name),
        updated_us=TEXT_DATE_US,
        since_us=None if version is None else version.begins_us,
        **{name: standing[name].value for name in stated},
        applications=settings.log_applications,
    )


def state_of(settings: Settings, providers: Iterable[Provider]) -> State:
    """What the texts say now: numbers, wording, and the companies that receive requests."""
    numbers = {name: each.value for name, each in in_force(settings).items()}
    return State(numbers, digests(), tuple(sorted({each.company for each in sources(providers)})))


@functools.cache
def digests() -> Mapping[str, str]:
    """A digest of each part of the texts, by what it is about."""
    parts: dict[str, str] = {"rights": _words("terms"), "data": _words("cookies")}
    first, *rest = _HEADING.split(_words("privacy"))
    parts["purposes"] = first
    for heading, words in zip(rest[::2], rest[1::2], strict=True):
        about = _ABOUT.get(heading, "rights")
        parts[about] = parts.get(about, "") + heading + words
    return {
        about: hashlib.sha256(words.encode()).hexdigest()[:16] for about, words in parts.items()
    }


def _words(name: str) -> str:
    return (_TEMPLATES / f"{name}.html").read_text("utf-8").partition("{% block text %}")[2]


def _day_us(version: str) -> int | None:
    """The beginning of the day that a version names, such as 2026-12-01; None for any other."""
    try:
        day = date.fromisoformat(version)
    except ValueError:
        return None
    return (day - date(1970, 1, 1)).days * DAY_US
