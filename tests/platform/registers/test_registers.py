"""The registers: what is entered stays, who is to be told by when, what lacks and what is due."""

import pytest
import sqlalchemy as sa
from sqlalchemy import text

from gateway.platform.audit import Audit
from gateway.platform.refusals import Refusal
from gateway.platform.registers import Agreements, Attestations, Breaches, Unfit
from gateway.platform.registers.breaches import HOUR_US, NOTICE_US
from gateway.platform.registers.register import Register

AWARE = "2026-03-01T12:00"
AWARE_US = 1_772_366_400_000_000
DAY_US = 24 * HOUR_US
BREACH = {
    "aware_at": AWARE,
    "discovered": "a customer told us",
    "nature": "addresses were shown\nto others",
    "persons": "12",
    "records": "40",
    "consequences": "unwanted mail",
    "measures": "the page was closed",
    "risk": "not_high",
}
AGREEMENT = {
    "provider": "up",
    "title": "DPA 2026-1",
    "signed_by": "Ann, Bob",
    "signed": "2026-02-01",
}
ATTESTATION = {
    "kind": "vulnerability_scan",
    "done_by": "Scanners Ltd",
    "done": "2026-02-01",
    "result": "nothing grave",
    "next_due": "2026-03-01",
}


@pytest.fixture
def register(rooms):
    rooms.clock.advance((AWARE_US + HOUR_US - rooms.clock.now_us()) / 1_000_000)
    audit = Audit(rooms.database, rooms.secrets, rooms.clock)
    return Register(rooms.database, audit, rooms.clock, rooms.ids)


@pytest.fixture
def breaches(register):
    return Breaches(register)


async def test_a_breach_is_to_be_told_within_72_hours_of_becoming_aware(rooms, register, breaches):
    id = await breaches.enter(None, BREACH)
    breach = await breaches.named(id)
    assert (breach.aware_us, breach.persons, breach.nature) == (AWARE_US, 12, BREACH["nature"])
    [duty] = breach.duties  # the risk is not high: nobody but the authority
    assert (duty.to, duty.due_us) == ("authority", AWARE_US + NOTICE_US)
    assert duty.waits and duty.left_us(rooms.clock.now_us()) == 71 * HOUR_US
    rooms.clock.advance(72 * 3_600)
    assert duty.left_us(rooms.clock.now_us()) == -HOUR_US
    assert [each.id for each in await breaches.waiting()] == [id]
    await breaches.update(None, id, {"act": "risk_high", "words": "passwords were among them"})
    authority, persons = (await breaches.named(id)).duties
    assert persons.to == "persons" and persons.due_us == authority.due_us
    told = {"act": "authority_notified", "at": "2026-03-03T12:00"}
    await breaches.update(None, id, told)
    late = {"act": "persons_notified", "at": "2026-03-04T12:30", "words": "addresses were unknown"}
    await breaches.update(None, id, late)
    authority, persons = (await breaches.named(id)).duties
    assert not authority.waits and not authority.is_late
    assert not persons.waits and persons.is_late
    assert await breaches.waiting() == []
    audit = await register.audit.newest(9)
    assert [(row.actor, row.action) for row in audit] == [("local", "breaches.write")] * 4
    assert audit[-1].target == id


async def test_who_need_not_be_told_is_excused_until_the_risk_is_found_to_be_high(breaches):
    id = await breaches.enter(None, BREACH)
    await breaches.update(None, id, {"act": "authority_not_needed", "words": "no risk"})
    assert (await breaches.named(id)).duties[0].excused and await breaches.waiting() == []
    await breaches.update(None, id, {"act": "risk_high", "words": "it was more"})
    assert [each.to for each in (await breaches.named(id)).waiting] == ["authority", "persons"]
    await breaches.update(None, id, {"act": "persons_not_needed", "words": "encrypted"})
    assert [each.to for each in (await breaches.named(id)).waiting] == ["authority"]
    await breaches.update(None, id, {"act": "risk_not_high", "words": "it was less"})
    assert [each.to for each in (await breaches.named(id)).duties] == ["authority"]


async def test_every_blank_and_every_impossible_field_is_named(breaches):
    with pytest.raises(Unfit) as all_blank:
        await breaches.enter(None, {})
    assert all_blank.value.problems == dict.fromkeys(BREACH, "blank") | {"risk": "blank"}
    for field, value, code in (
        ("aware_at", "yesterday", "no_moment"),
        ("aware_at", "2026-03-01", "no_moment"),
        ("aware_at", "2026-03-01T14:00", "future"),
        ("persons", "-1", "no_number"),
        ("records", "some", "no_number"),
        ("risk", "some", "no_choice"),
        ("nature", "x" * 2_001, "too_long"),
        ("measures", "a\x00b", "unprintable"),
    ):
        with pytest.raises(Unfit) as refused:
            await breaches.enter(None, BREACH | {field: value})
        assert refused.value.problems == {field: code}, (field, value)
    assert await breaches.listing() == []
    id = await breaches.enter(None, BREACH)
    for fields, problems in (
        ({"act": "authority_notified"}, {"at": "blank", "words": "blank"}),
        ({"act": "authority_notified", "at": "2026-03-01T11:59"}, {"at": "too_early"}),
        ({"act": "facts", "at": AWARE, "words": "x"}, {"at": "not_here"}),
        ({"act": "facts"}, {"words": "blank"}),
        ({"act": "authority_not_needed"}, {"words": "blank"}),
        ({"act": "forget", "words": "x"}, {"act": "no_choice"}),
    ):
        with pytest.raises(Unfit) as refused:
            await breaches.update(None, id, fields)
        assert refused.value.problems == problems, fields
    with pytest.raises(Refusal, match="no breach 'brc_none'"):
        await breaches.update(None, "brc_none", {"act": "facts", "words": "x"})


async def test_a_late_notification_says_why(rooms, breaches):
    id = await breaches.enter(None, BREACH)
    rooms.clock.advance(100 * 3_600)
    late = {"act": "authority_notified", "at": "2026-03-04T12:01"}
    with pytest.raises(Unfit) as refused:
        await breaches.update(None, id, late)
    assert refused.value.problems == {"words": "blank"}
    await breaches.update(None, id, late | {"words": "nobody was there"})


async def test_the_same_form_twice_enters_once(rooms, breaches):
    once = rooms.ids.make("brc")
    assert await breaches.enter(None, BREACH, id=once) == once
    assert await breaches.enter(None, BREACH, id=once) == once
    assert len(await breaches.listing()) == 1
    with pytest.raises(Refusal, match="not from this page"):
        await breaches.enter(None, BREACH, id="brc_1")


async def test_the_database_itself_refuses_change_and_deletion(rooms, register, breaches):
    id = await breaches.enter(None, BREACH)
    await breaches.update(None, id, {"act": "facts", "words": "more"})
    await Agreements(register).enter(None, AGREEMENT)
    await Attestations(register).enter(None, ATTESTATION)
    for table in ("breaches", "breach_updates", "processor_agreements", "attestations"):
        for statement in (f"UPDATE {table} SET entered_by = 'x'", f"DELETE FROM {table}"):
            with pytest.raises(sa.exc.IntegrityError, match="append-only"):
                await rooms.database.write(lambda c, s=statement: c.execute(text(s)))


async def test_the_last_agreement_of_a_provider_counts(rooms, register):
    agreements = Agreements(register)

    async def lacking():
        return await rooms.database.read(lambda c: agreements.lacking(c, ["up", "down"]))

    assert await lacking() == ["up", "down"]
    await agreements.enter(None, AGREEMENT)
    assert await lacking() == ["down"]
    await agreements.enter(None, AGREEMENT | {"valid_until": "2026-03-01", "title": "second"})
    assert await lacking() == ["down"]  # it holds through its last day
    rooms.clock.advance(12 * 3_600)
    assert await lacking() == ["up", "down"]
    listed = await agreements.listing()
    assert [each.title for each in listed] == ["second", "DPA 2026-1"]
    with pytest.raises(Unfit) as refused:
        await agreements.enter(None, AGREEMENT | {"signed": "", "valid_until": "soon"})
    assert refused.value.problems == {"signed": "blank", "valid_until": "no_day"}
    with pytest.raises(Unfit) as refused:
        await agreements.enter(None, AGREEMENT | {"valid_until": "2026-01-31"})
    assert refused.value.problems == {"valid_until": "too_early"}


async def test_what_is_due_again_is_overdue_until_it_is_done(rooms, register):
    attestations = Attestations(register)
    await attestations.enter(None, ATTESTATION)
    assert await attestations.overdue() == []  # due today
    rooms.clock.advance(12 * 3_600)
    [overdue] = await attestations.overdue()
    assert overdue.kind == "vulnerability_scan"
    again = ATTESTATION | {"done": "2026-03-02", "next_due": "2026-04-01"}
    await attestations.enter(None, again | {"scope": "the other network"})
    assert await attestations.overdue() == [overdue]  # of another scope
    await attestations.enter(None, again)
    assert await attestations.overdue() == []
    with pytest.raises(Unfit) as refused:
        await attestations.enter(None, ATTESTATION | {"kind": "other", "next_due": "2026-02-01"})
    assert refused.value.problems == {"scope": "blank", "next_due": "too_early"}


async def turned(listing, size):
    """Every id, page by page, and how long the pages were."""
    seen, sizes, before = [], [], None
    while True:
        page = await listing(size, before)
        seen += [each.id for each in page]
        sizes.append(len(page))
        if len(page) < size:
            return seen, sizes
        before = page[-1].id


async def test_lists_are_turned_page_by_page_and_hold_each_row_once(rooms, register, breaches):
    agreements, attestations = Agreements(register), Attestations(register)
    for number in range(7):
        id = await breaches.enter(None, BREACH | {"aware_at": f"2026-02-0{1 + number // 3}T12:00"})
        await breaches.update(None, id, {"act": "facts", "words": f"of {id}"})
        await attestations.enter(None, ATTESTATION | {"done": f"2026-01-0{1 + number // 3}"})
        await agreements.enter(None, AGREEMENT | {"provider": "up" if number % 3 else "down"})
        if number % 2:
            rooms.clock.advance(60)  # the others are entered in the same moment
    for room in (breaches, attestations):
        whole = [each.id for each in await room.listing()]
        assert len(whole) == 7
        for size in (1, 2, 3, 7, 8):
            seen, sizes = await turned(room.listing, size)
            assert seen == whole and max(sizes) <= size
        assert await room.listing(5, "none") == []
    page = await breaches.listing(3, (await breaches.listing(2))[-1].id)
    assert [[each.words for each in one.updates] for one in page] == [[f"of {o.id}"] for o in page]
    entered = await agreements.listing()
    last = await agreements.last()
    assert [each.provider for each in last] == ["down", "up"]
    assert all(next(e for e in entered if e.provider == each.provider) == each for each in last)
    replaced = [each.id for each in entered if each not in last]
    for size in (1, 2, 5, 6):
        assert (await turned(agreements.replaced, size))[0] == replaced
