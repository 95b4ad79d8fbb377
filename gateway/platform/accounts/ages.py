"""Ages: what somebody who signs up says of theirs, and whether that is enough. Pure.

A year of birth and a statement must agree: by the year alone somebody may be a year older or
younger than they say, and then the statement decides. The year is looked at and never kept; what
is kept is the least age that was attested. Where the operator lets minors in, one of them names a
guardian.
"""

import time
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.platform.accounts.accounts import is_reserved, normal_email
from gateway.platform.refusals import Problem, Refusal

ADULT: Final = 18
OLDEST: Final = 130  # years; more is a slip of the fingers
MAX_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Said:
    """The fields of a form. `age` is the statement: at least so many years; "yes" is 18."""

    born: str = field(repr=False)
    age: str
    guardian_agrees: bool = False
    guardian_name: str = field(default="", repr=False)
    guardian_email: str = field(default="", repr=False)


class Guardian(NamedTuple):
    """Who answers for a minor."""

    name: str
    email: str


class Attested(NamedTuple):
    """What counts: the least age in years, and a minor's guardian."""

    age: int
    guardian: Guardian | None = None


def attest(said: Said, minimum_age: int, now_us: int, own_email: str) -> Attested:
    """What somebody has attested, if it is enough. Raises Problem."""
    claimed = _claimed(said.age, minimum_age)
    years = time.gmtime(now_us // 1_000_000).tm_year - _year(said.born)
    if not 0 <= years <= OLDEST:
        raise Problem("born", "malformed")
    if years < minimum_age:  # even if the birthday was today
        raise Problem("born", "too_young")
    if (claimed == ADULT and years < ADULT) or (claimed < ADULT and years > ADULT):
        raise Problem("born", "differs")
    if claimed == ADULT:
        return Attested(ADULT)
    return Attested(claimed, _guardian(said, own_email))


def _claimed(text: str, minimum_age: int) -> int:
    allowed = {"yes": ADULT, str(ADULT): ADULT, str(minimum_age): minimum_age}
    claimed = allowed.get(text)
    if claimed is None:
        raise Problem("age", "required")
    return claimed


def _year(text: str) -> int:
    digits = text.strip()
    if not digits:
        raise Problem("born", "required")
    if len(digits) != 4 or not digits.isascii() or not digits.isdigit():
        raise Problem("born", "malformed")
    return int(digits)


def _guardian(said: Said, own_email: str) -> Guardian:
    if not said.guardian_agrees:
        raise Problem("guardian", "required")
    name = " ".join(said.guardian_name.split())
    if not name:
        raise Problem("guardian_name", "required")
    if len(name) > MAX_NAME:
        raise Problem("guardian_name", "too_long")
    if not name.isprintable():
        raise Problem("guardian_name", "malformed")
    try:
        email = normal_email(said.guardian_email)
    except Refusal:
        email = ""
    if not email or is_reserved(email):
        raise Problem("guardian_email", "malformed")
    if email == own_email:
        raise Problem("guardian_email", "own")
    return Guardian(name, email)
