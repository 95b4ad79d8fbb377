"""Invitations: the address that was meant joins, once, in time, while who invited still may."""

import pytest

from gateway.base.errors import TooManyAttempts
from gateway.platform.organisations.invitations import LIFETIME_US, MAX_WAITING
from gateway.platform.refusals import Problem, Refusal
from tests.platform.organisations.conftest import PHONE


async def invited(firm, name="ann", part="member", limit=None, by=None):
    return await firm.invitations.invite(
        by or firm.owner, firm.one, f"{name}@example.com", part, limit, PHONE
    )


async def test_a_letter_leads_one_address_in_once(firm):
    made = await invited(firm, limit=5_000)
    [letter] = await firm.letters()
    assert (letter.kind, letter.to, letter.account_id) == ("invitation", "ann@example.com", "")
    assert letter.values == {"organisation": "Öst & Co", "by": "owner@example.com"}
    assert (await firm.invitations.by_token(letter.token)).id == made.id
    thief, ann = await firm.person("thief"), await firm.person("ann")
    with pytest.raises(Refusal):
        await firm.invitations.accept(thief, made.id)
    assert await firm.invitations.accept(ann, made.id) is firm.one
    assert firm.parts() == {"owner": "owner", "ann": "member"}
    assert firm.one.members[ann.no].monthly_limit_microusd == 5_000
    for attempt in (firm.invitations.accept(ann, made.id), firm.invitations.by_token(letter.token)):
        with pytest.raises(Refusal):
            await attempt


async def test_it_ends_in_every_way_it_may(firm):
    ann = await firm.person("ann")
    first = await invited(firm)
    second = await invited(firm)  # another letter in the place of the first
    assert [each.id for each in await firm.invitations.to(ann)] == [second.id] != [first.id]
    await firm.invitations.decline(ann, second.id)
    third = await invited(firm)
    await firm.invitations.withdraw(firm.owner, firm.one, third.id)
    firm.clock.advance(16 * 60)
    late = await invited(firm)
    firm.clock.advance(LIFETIME_US // 1_000_000)
    for id in (first.id, second.id, third.id, late.id):
        with pytest.raises(Refusal):
            await firm.invitations.accept(ann, id)
    assert await firm.invitations.waiting(firm.one) == [] and firm.parts() == {"owner": "owner"}


async def test_nobody_invites_beyond_their_part(firm):
    boss, ann = await firm.person("boss"), await firm.person("ann")
    await firm.room.put(firm.owner, firm.one, boss, "manager")
    await firm.room.put(firm.owner, firm.one, ann)
    for by, part in ((boss, "manager"), (boss, "owner"), (ann, "member")):
        with pytest.raises(Refusal):
            await invited(firm, "new", part, by=by)
    made = await invited(firm, "new", by=boss)
    new = await firm.person("new")
    await firm.room.remove(firm.owner, firm.one, boss)
    with pytest.raises(Refusal, match="any more"):
        await firm.invitations.accept(new, made.id)
    other = await firm.room.found(ann, "Another")
    for by, organisation in ((ann, firm.one), (ann, other)):
        with pytest.raises(Refusal):
            await firm.invitations.withdraw(by, organisation, made.id)


async def test_letters_are_bounded_for_senders_and_mailboxes(firm):
    for _ in range(3):
        await invited(firm)
    with pytest.raises(TooManyAttempts):
        await invited(firm)
    for number in range(6):
        await invited(firm, f"p{number}")
    with pytest.raises(TooManyAttempts):
        await invited(firm, "another")
    for number in range(MAX_WAITING):
        firm.clock.advance(16 * 60)
        try:
            await invited(firm, f"q{number}")
        except Refusal:
            break
    assert len(await firm.invitations.waiting(firm.one)) == MAX_WAITING


async def test_what_is_no_address_or_a_members_is_said(firm):
    for email, code in (("nonsense", "malformed"), ("OWNER@example.com", "member")):
        with pytest.raises(Problem) as caught:
            await firm.invitations.invite(firm.owner, firm.one, email)
        assert caught.value.code == code


async def test_the_database_holds_no_address_in_plain(firm):
    await invited(firm, "canary-address")
    data = b"".join(path.read_bytes() for path in firm.folder.glob("tallygate.db*"))
    assert b"canary-address" not in data
