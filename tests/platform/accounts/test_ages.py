"""What counts as old enough, at the boundaries of years; and who a guardian can be."""

import calendar

import pytest
from sqlalchemy import func, select

from gateway.platform.accounts.ages import Attested, Guardian, Said, attest
from gateway.platform.accounts.sign_up import Wish
from gateway.platform.refusals import Problem
from gateway.store.schema.tables import metadata
from tests.platform.accounts.conftest import HOME, PASSWORD

LAST_SECOND = calendar.timegm((2026, 12, 31, 23, 59, 59)) * 10**6
NEW_YEAR = LAST_SECOND + 10**6
BOB = {"guardian_agrees": True, "guardian_name": " Bob  Smith ", "guardian_email": "B@example.com"}
OWN = "ann@example.com"


def minor(born, **changes):
    return Said(born, "13", **(BOB | changes))


@pytest.mark.parametrize(
    ("now_us", "minimum", "said", "code"),
    [
        (LAST_SECOND, 18, Said("2008", "yes"), None),  # 18 this year: the statement decides
        (LAST_SECOND, 18, Said("2008", ""), "age: required"),
        (LAST_SECOND, 18, Said("2009", "yes"), "born: too_young"),
        (NEW_YEAR, 18, Said("2009", "yes"), None),
        (NEW_YEAR, 18, Said("2009", "13"), "age: required"),  # strict: no minors here
        (LAST_SECOND, 13, minor("2013"), None),
        (LAST_SECOND, 13, minor("2014"), "born: too_young"),
        (NEW_YEAR, 13, minor("2014"), None),
        (LAST_SECOND, 13, Said("2014", "18"), "born: too_young"),
        (LAST_SECOND, 13, Said("2009", "18"), "born: differs"),
        (LAST_SECOND, 13, Said("2008", "18"), None),
        (LAST_SECOND, 13, minor("2008"), None),  # not yet, this year
        (LAST_SECOND, 13, minor("2007"), "born: differs"),
        (LAST_SECOND, 13, Said("1960", "18"), None),
        (LAST_SECOND, 18, Said("", "yes"), "born: required"),
        (LAST_SECOND, 18, Said("60", "yes"), "born: malformed"),
        (LAST_SECOND, 18, Said("٢٠٠٠", "yes"), "born: malformed"),
        (LAST_SECOND, 18, Said("2027", "yes"), "born: malformed"),
        (LAST_SECOND, 18, Said("1890", "yes"), "born: malformed"),
    ],
)
def test_boundaries(now_us, minimum, said, code):
    if code is not None:
        with pytest.raises(Problem, match=code):
            attest(said, minimum, now_us, OWN)
        return
    made = attest(said, minimum, now_us, OWN)
    assert made.age == (13 if said.age == "13" else 18)
    assert (made.guardian is not None) is (said.age == "13")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"guardian_agrees": False}, "guardian: required"),
        ({"guardian_name": "  "}, "guardian_name: required"),
        ({"guardian_name": "x" * 101}, "guardian_name: too_long"),
        ({"guardian_name": "a\x07"}, "guardian_name: malformed"),
        ({"guardian_email": "nobody"}, "guardian_email: malformed"),
        ({"guardian_email": "x@closed.invalid"}, "guardian_email: malformed"),
        ({"guardian_email": "ANN@example.com"}, "guardian_email: own"),
    ],
)
def test_a_guardian_is_somebody_else_with_an_address(changes, code):
    with pytest.raises(Problem, match=code):
        attest(minor("2012", **changes), 13, LAST_SECOND, OWN)


def test_a_guardian_is_kept_in_a_plain_form():
    made = attest(minor("2012"), 13, LAST_SECOND, OWN)
    assert made == Attested(13, Guardian("Bob Smith", "b@example.com"))


def test_nothing_of_it_is_shown_by_accident():
    assert "2012" not in repr(minor("2012")) and "Smith" not in repr(minor("2012"))


async def test_under_age_leaves_no_row_in_any_table(owner):
    async def rows():
        def count(connection):
            return {
                name: connection.scalar(select(func.count()).select_from(table))
                for name, table in metadata.tables.items()
            }

        return await owner.rooms.database.read(count)

    for minimum in ("18", "13"):
        owner.people.close()
        owner.open(**{"accounts.minimum_age": minimum})
        year = 1970 + owner.rooms.clock.now_us() // (31_556_952 * 10**6)
        before = await rows()
        for said in (
            Said(str(year - int(minimum) + 1), "yes"),
            minor(str(year - int(minimum) + 1)),
            Said(str(year - 5), "18"),
        ):
            with pytest.raises(Problem):
                wish = Wish("kid@example.com", PASSWORD, True, said)
                await owner.people.sign_up.ask(wish, HOME)
        assert await rows() == before
