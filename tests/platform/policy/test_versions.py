"""Versions of the legal texts: none begins that was not told, and none sooner than its notice."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from gateway.base.clock import ManualClock
from gateway.base.config import load
from gateway.platform.assembly import open_platform
from gateway.platform.audit import Audit
from gateway.platform.mail import Mail
from gateway.platform.policy.changes import State
from gateway.platform.policy.versions import BATCH, Versions
from gateway.platform.refusals import Refusal
from gateway.platform.registers.filled import DAY_US
from gateway.platform.registers.register import Register
from gateway.store.outbox import Outbox
from gateway.store.schema.policy import policy_versions

DAY_S = 86_400
FIRST = State({"session_days": 7, "policy_notice_days": 30}, {"rights": "a"}, ("OpenAI",))
LONGER = FIRST._replace(numbers={**FIRST.numbers, "session_days": 30})
SAME = FIRST._replace(parties=())


class Place:
    """The room over a real database; `names` heard which version holds."""

    def __init__(self, rooms):
        self.rooms = rooms
        self.names = []

    def open(self):
        rooms = self.rooms
        audit = Audit(rooms.database, rooms.secrets, rooms.clock)
        register = Register(rooms.database, audit, rooms.clock, rooms.ids)
        outbox = Outbox(rooms.secrets, rooms.clock, rooms.ids)
        self.mail = Mail(rooms.database, outbox)
        self.versions = Versions(register, rooms.accounts, self.mail, outbox, self.names.append)
        return self

    async def reopen(self):
        await self.rooms.reopen()
        self.open()
        await self.versions.load()

    def day(self, days):
        """The first day's beginning that is at least so many days ahead, as it is written."""
        at_us = -(-(self.rooms.clock.now_us() + days * DAY_US) // DAY_US) * DAY_US
        return datetime.fromtimestamp(at_us // 10**6, UTC).strftime("%Y-%m-%d")

    async def announce(self, name="2", days=30, state=LONGER, classes=(), words="Longer."):
        self.rooms.clock.advance(1)
        fields = {"name": name, "words": words, "effective": self.day(days)}
        return await self.versions.announce(None, fields, classes, state)

    async def letters(self):
        found = await self.mail.undelivered()
        return sorted(each.letter.to for each in found if each.letter.kind == "policy_change")

    def now(self):
        self.versions.refresh()
        current, coming = self.versions.current(), self.versions.coming()
        return (current and current.name, coming and coming.name)


@pytest.fixture
async def place(rooms):
    made = Place(rooms).open()
    for name in ("ann", "bob"):
        await rooms.accounts.create(f"{name}@example.com")
    await made.versions.begin("1", FIRST)
    return made


async def test_the_first_version_holds_at_once_and_is_noted_once(place):
    assert place.now() == ("1", None) and place.names == ["1"]
    await place.versions.begin("other", LONGER)
    assert [each.name for each in place.versions.all] == ["1"]
    await place.reopen()
    assert place.now() == ("1", None)


async def test_a_material_version_begins_a_notice_after_everybody_was_told(place):
    made = await place.announce()
    assert made.classes == ("retention",) and made.notice_days == 30
    assert place.now() == ("1", "2")
    assert await place.versions.tell() == 2
    assert await place.letters() == ["ann@example.com", "bob@example.com"]
    assert await place.versions.tell() == 0  # nobody gets a second letter
    [told] = [each for each in place.versions.all if each.name == "2"]
    place.rooms.clock.advance((told.begins_us - place.rooms.clock.now_us()) // 10**6 - 1)
    assert place.now() == ("1", "2")
    place.rooms.clock.advance(1)
    assert place.now() == ("2", None) and place.names == ["1", "2"]
    assert told.begins_us - told.told_us >= 30 * DAY_US
    await place.reopen()
    assert place.now() == ("2", None)


async def test_a_version_that_nobody_was_told_of_never_begins(place):
    await place.announce()
    place.rooms.clock.advance(400 * DAY_S)
    assert place.now() == ("1", "2")
    await place.versions.tell()
    assert place.now() == ("1", "2")  # told late: its thirty days are still to come
    place.rooms.clock.advance(30 * DAY_S - 1)
    assert place.now() == ("1", "2")
    place.rooms.clock.advance(1)
    assert place.now() == ("2", None)


async def test_telling_is_taken_up_where_it_was_broken_off(place, monkeypatch):
    monkeypatch.setattr("gateway.platform.policy.versions.BATCH", 1)
    await place.announce()
    assert await place.versions.tell() == 1 and place.versions.coming().told_us is None
    await place.reopen()
    assert await place.versions.tell() == 1 and place.versions.coming().told_us is not None
    assert await place.letters() == ["ann@example.com", "bob@example.com"]
    assert BATCH > 1


async def test_what_is_material_cannot_take_effect_sooner(place):
    with pytest.raises(Refusal, match=r"a material change \(retention\) takes effect on .* at the"):
        await place.announce(days=28)
    with pytest.raises(Refusal, match=r"material change \(transfers\)"):
        await place.announce(days=1, state=SAME, classes=["transfers"])
    assert place.now() == ("1", None)
    minor = await place.announce(days=1, state=SAME, words="A provider less.")
    assert minor.classes == () and await place.versions.tell() == 0
    place.rooms.clock.advance(2 * DAY_S)
    assert place.now() == ("2", None)


async def test_the_database_refuses_it_too(place):
    """A material version that is early, one that is changed or deleted, one told twice."""
    made = await place.announce()
    await place.versions.tell()
    table, row = policy_versions, policy_versions.c.id == made.id
    copy = await place.rooms.database.read(
        lambda c: dict(c.execute(select(table)).all()[-1]._mapping)
    )
    copy |= {"id": "pol_2", "name": "3", "told_us": None}
    sooner_us = copy["entered_us"] + 30 * DAY_US - 1
    for act in (
        insert(table).values(**copy | {"effective_us": sooner_us}),
        update(table).where(row).values(effective_us=made.effective_us + 1),
        update(table).where(row).values(classes="[]"),
        update(table).where(row).values(told_us=1),
        delete(table).where(row),
    ):
        with pytest.raises(IntegrityError):
            await place.rooms.database.write(lambda c, act=act: c.execute(act))
    await place.rooms.database.write(lambda c: c.execute(insert(table).values(**copy)))


async def test_a_later_announcement_takes_the_place_of_one_that_has_not_begun(place):
    await place.announce("2")
    await place.versions.tell()
    await place.announce("3", days=40)
    assert place.now() == ("1", "3")
    await place.versions.tell()
    place.rooms.clock.advance(35 * DAY_S)
    assert place.now() == ("1", "3")  # 2 would have begun
    place.rooms.clock.advance(10 * DAY_S)
    assert place.now() == ("3", None)
    assert [each.name for each in place.versions.standing()] == ["1", "3"]
    changed = place.versions.changes_of(place.versions.current())
    assert [each.name for each in changed.numbers] == ["session_days"]


async def test_what_is_filled_in_wrong_is_refused(place):
    for name, words, effective, said in (
        ("", "x", "2099-01-01", "name must be filled in"),
        ("2", "", "2099-01-01", "words must be filled in"),
        ("2", "x", "soon", "effective is written"),
        ("2", "x", "", "effective must be filled in"),
        ("1", "x", "2099-01-01", "a version '1' already"),
    ):
        fields = {"name": name, "words": words, "effective": effective}
        with pytest.raises(Refusal, match=said):
            await place.versions.announce(None, fields, (), LONGER)
    with pytest.raises(Refusal, match="no class of change: weather"):
        await place.announce(classes=["weather"])


async def test_no_version_is_deleted_and_each_is_an_audit_row(place):
    await place.announce()
    query = text("SELECT action FROM audit_log WHERE action = 'policy.announce'")
    rows = await place.rooms.database.read(lambda c: list(c.execute(query)))
    assert len(rows) == 2


async def test_who_signs_up_accepts_the_version_in_force(tmp_path):
    clock = ManualClock()
    platform = await open_platform(load(environ={}), tmp_path / "data", clock, environ={})
    try:
        versions, policy = platform.versions, platform.people.sign_up.policy
        await versions.begin("1", FIRST)
        at_us = (clock.now_us() // DAY_US + 40) * DAY_US
        day = datetime.fromtimestamp(at_us // 10**6, UTC).strftime("%Y-%m-%d")
        fields = {"name": "2", "words": "Longer.", "effective": day}
        clock.advance(1)
        await versions.announce(None, fields, (), LONGER)
        await versions.tell()
        assert policy.terms_version == "1"
        clock.advance((at_us - clock.now_us()) // 10**6)
        versions.refresh()
        assert policy.terms_version == "2"
    finally:
        await platform.close()
