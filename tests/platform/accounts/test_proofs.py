"""A proof of age: asked for, owed, lifted; who asks, who is told, what is kept."""

import pytest

from gateway.platform.refusals import Refusal

DAY_US = 86_400 * 10**6


@pytest.fixture
async def boss(owner):
    return await owner.rooms.accounts.create("boss@example.com", "administrator")


async def test_asked_for_and_lifted(owner, ann, boss):
    proofs = owner.people.proofs
    due_us = owner.rooms.clock.now_us() + 14 * DAY_US
    made = await proofs.request(boss, ann, "  The school's\n address. ", due_us)
    assert made.reason == "The school's address." and made.is_open
    assert ann.holds == {"proof"} and not ann.may_spend
    assert await proofs.open_of(ann) == made
    [letter, *_] = await owner.letters()
    assert (letter.kind, letter.to) == ("age_proof", ann.email)
    assert letter.values == {"reason": made.reason, "due_us": due_us}
    with pytest.raises(Refusal, match="already"):
        await proofs.request(boss, ann, "again", due_us)
    await owner.reopen()
    await owner.people.load()
    proofs, ann = owner.people.proofs, owner.rooms.accounts.named(ann.email)
    boss = owner.rooms.accounts.named(boss.email)
    assert ann.holds == {"proof"}
    owner.rooms.clock.advance(60)
    await proofs.lift(boss, ann, "identity card seen")
    assert ann.may_spend and await proofs.open_of(ann) is None
    assert (await owner.letters())[0].kind == "age_proof_lifted"
    [kept] = await proofs.listing(ann)
    assert (kept.requested_by, kept.lifted_by, kept.lifted_for) == (
        boss.id,
        boss.id,
        "identity card seen",
    )
    with pytest.raises(Refusal):
        await proofs.lift(boss, ann, "again")
    rows = [row for row in await owner.people.audit.newest(9) if row.action == "accounts.age"]
    assert [(row.actor, row.target) for row in rows] == [(boss.id, ann.id)] * 2
    assert all("school" not in row.detail and "card" not in row.detail for row in rows)
    await proofs.request(boss, ann, "a new doubt", owner.rooms.clock.now_us() + DAY_US)
    assert len(await proofs.listing(ann)) == 2


@pytest.mark.parametrize(
    ("reason", "days"),
    [("", 5), ("x" * 301, 5), ("a\x07", 5), ("why", 0), ("why", -1), ("why", 91)],
)
async def test_what_cannot_be_asked(owner, ann, boss, reason, days):
    due_us = owner.rooms.clock.now_us() + days * DAY_US
    with pytest.raises(Refusal):
        await owner.people.proofs.request(boss, ann, reason, due_us)
    assert not ann.holds and await owner.people.proofs.listing(ann) == []
