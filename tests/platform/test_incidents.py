"""Incidents and maintenance: told while they are true, added to, never deleted."""

import pytest

from gateway.base.clock import ManualClock
from gateway.base.config import load
from gateway.platform.assembly import open_platform
from gateway.platform.incidents import parse_time
from gateway.platform.incidents.board import DAY_US
from gateway.platform.refusals import Refusal
from tests.fakes.folder import new_folder

HOUR_S = 3_600
HOUR_US = HOUR_S * 1_000_000


class Desk:
    """A platform with a clock that is set, and somebody who writes."""

    def __init__(self, folder):
        self.folder = folder
        self.clock = ManualClock()

    async def open(self):
        settings = load(environ={})
        self.platform = await open_platform(
            settings, new_folder(self.folder), self.clock, environ={}
        )
        self.room = self.platform.incidents
        accounts = self.platform.accounts
        email = "ann@example.com"
        self.ann = accounts.find(email) or await accounts.create(email, "operator")
        return self

    async def enter(self, kind="incident", title="Slow answers", **more):
        return await self.room.enter(self.ann, kind, title, "We look into it.", **more)

    async def maintenance(self, in_hours, hours=2, **more):
        begins_us = self.clock.now_us() + in_hours * HOUR_US
        ends_us = begins_us + hours * HOUR_US
        return await self.enter("maintenance", begins_us=begins_us, ends_us=ends_us, **more)

    def told(self):
        return [[each.id for each in part] for part in self.room.board()]


@pytest.fixture
async def desk(tmp_path):
    made = await Desk(tmp_path / "data").open()
    yield made
    assert (await made.platform.people.audit.verify()).findings == []
    await made.platform.close()


async def test_an_incident_is_open_until_it_is_over_and_told_for_ninety_days(desk):
    made = await desk.enter(models=["sandbox/echo", "sandbox/echo"])
    assert made.models == ("sandbox/echo",) and desk.told() == [[made.id], [], []]
    desk.clock.advance(60)
    added = await desk.room.add(desk.ann, made.id, "A provider fails.\nWe use another.")
    [update] = added.updates
    assert update.at_us == made.begins_us + 60_000_000 and "\n" in update.words
    ended = await desk.room.end(desk.ann, made.id)
    assert ended.ends_us == desk.clock.now_us() and desk.told() == [[], [], [made.id]]
    assert (await desk.room.add(desk.ann, made.id, "What it was.")).updates[1].words
    desk.clock.advance(90 * 24 * HOUR_S)
    assert desk.told() == [[], [], []]
    assert [each.id for each in await desk.room.listing(10)] == [made.id]


async def test_maintenance_is_planned_then_under_way_then_over_by_itself(desk):
    late = await desk.maintenance(100)
    made = await desk.maintenance(80)
    assert desk.told() == [[], [made.id, late.id], []] and desk.room.announced() is None
    desk.clock.advance(10 * HOUR_S)
    announced = desk.room.announced()
    assert announced is not None
    assert (announced.begins_us, announced.open) == (made.begins_us, False)
    desk.clock.advance(71 * HOUR_S)
    assert desk.told() == [[made.id], [late.id], []] and desk.room.announced().open
    later_us = made.ends_us + HOUR_US
    await desk.room.end(desk.ann, made.id, later_us)
    desk.clock.advance(HOUR_S + 60)
    assert desk.told()[0] == [made.id]
    incident = await desk.enter()
    assert desk.told()[0] == [incident.id, made.id]
    assert desk.room.announced().kind == "incident"
    desk.clock.advance(HOUR_S)
    assert desk.told() == [[incident.id], [late.id], [made.id]]


async def test_a_withdrawn_one_vanishes_for_the_public_and_stays_on_record(desk):
    made, other = await desk.enter(), await desk.maintenance(5)
    await desk.room.withdraw(desk.ann, made.id, "it was another gateway")
    assert desk.told() == [[], [other.id], []]
    kept = await desk.room.named(made.id)
    assert kept.phase(desk.clock.now_us()) == "withdrawn"
    assert (kept.withdrawn_for, kept.withdrawn_by) == ("it was another gateway", desk.ann.id)
    for change in (
        desk.room.withdraw(desk.ann, made.id, "again"),
        desk.room.add(desk.ann, made.id, "more"),
        desk.room.end(desk.ann, made.id),
    ):
        with pytest.raises(Refusal, match="withdrawn already"):
            await change
    [row, *_] = await desk.platform.people.audit.newest(5)
    assert (row.actor, row.target, row.detail) == (desk.ann.id, made.id, "withdrawn")


async def test_what_is_told_is_there_after_a_restart(desk):
    made = await desk.enter()
    await desk.room.add(None, made.id, "Still looking.")
    told = desk.room.board()
    await desk.platform.close()
    await desk.open()
    assert desk.room.board() == told
    assert told.open[0].updates[0].entered_by == "local"


async def test_pages_of_the_list_follow_each_other(desk):
    made = [(await desk.enter(title=f"Number {n}")).id for n in range(5)]
    first = await desk.room.listing(3)
    rest = await desk.room.listing(3, before=first[-1].id)
    assert [each.id for each in (*first, *rest)] == made[::-1]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"kind": "party"}, "either an incident"),
        ({"title": "  "}, "a title is"),
        ({"title": "x" * 121}, "a title is"),
        ({"title": "a\u202eb"}, "a title is"),
        ({"models": ["none/such"]}, "no model none/such"),
        ({"models": [f"m{n}" for n in range(51)]}, "at most 50"),
        ({"begins": 1}, "has begun"),
        ({"begins": -91 * 24}, "90 days ago"),
        ({"begins": -2, "ends": 1}, "not later than now"),
        ({"begins": -2, "ends": -3}, "after it began"),
        ({"kind": "maintenance", "begins": 2}, "after it begins"),
        ({"kind": "maintenance", "begins": 2, "ends": 2}, "after it begins"),
        ({"kind": "maintenance", "begins": 2, "ends": 31 * 24}, "within 30 days"),
        ({"kind": "maintenance", "begins": 366 * 24, "ends": 367 * 24}, "within a year"),
    ],
)
async def test_what_makes_no_sense_is_refused(desk, more, why):
    now_us = desk.clock.now_us()
    for name in ("begins", "ends"):
        if name in more:
            more = more | {f"{name}_us": now_us + more[name] * HOUR_US}
            del more[name]
    with pytest.raises(Refusal, match=why):
        await desk.enter(**more)
    assert desk.told() == [[], [], []] and await desk.room.listing(10) == []


async def test_what_is_over_or_to_come_is_not_ended(desk):
    made, coming = await desk.enter(), await desk.maintenance(5)
    await desk.room.end(desk.ann, made.id)
    with pytest.raises(Refusal, match="over already"):
        await desk.room.end(desk.ann, made.id)
    with pytest.raises(Refusal, match="withdrawn, not ended"):
        await desk.room.end(desk.ann, coming.id)
    with pytest.raises(Refusal, match="no incident inc_none"):
        await desk.room.add(desk.ann, "inc_none", "x")
    with pytest.raises(Refusal, match="a text is"):
        await desk.room.add(desk.ann, made.id, "a\x00b")
    for _ in range(40):
        await desk.room.add(desk.ann, made.id, "x")
    with pytest.raises(Refusal, match="40 updates"):
        await desk.room.add(desk.ann, made.id, "x")


def test_times_are_read_in_utc_or_as_they_say():
    assert parse_time("  ") is None
    assert parse_time("1970-01-02") == DAY_US
    assert parse_time("1970-01-01T01:30") == parse_time("1970-01-01T01:30Z") == 1.5 * HOUR_US
    assert parse_time("1970-01-01T03:30+02:00") == 1.5 * HOUR_US
    for wrong in ("tomorrow", "2026-13-01T00:00", "10000-01-01"):
        with pytest.raises(Refusal, match="a time is written"):
            parse_time(wrong)
