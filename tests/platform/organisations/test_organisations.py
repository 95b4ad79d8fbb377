"""Organisations: one balance, several people, and rights that do not grow by themselves."""

import asyncio

import pytest

from gateway.platform.organisations import desk_of
from gateway.platform.organisations.organisations import MAX_FOUNDED
from gateway.platform.organisations.parts import ACTIONS, TABLE, part_may
from gateway.platform.refusals import Refusal
from tests.platform.organisations.conftest import PHONE


async def test_an_organisation_is_an_account_that_nobody_signs_in_as(firm):
    account = firm.one.account
    assert account.email.endswith("@organisation.invalid") and not account.is_person
    assert firm.room.of(firm.owner) == [firm.one] and firm.parts() == {"owner": "owner"}
    with pytest.raises(Refusal, match="nobody signs in"):
        await firm.platform.sign_in.create(account)
    await firm.platform.people.entrance.ask_reset(account.email, PHONE)
    assert await firm.letters() == []
    with pytest.raises(Refusal):
        await firm.platform.accounts.create("me@organisation.invalid")
    await firm.reopen()
    assert firm.one.name == "Öst & Co" and firm.parts() == {"owner": "owner"}


async def test_members_spend_the_shared_balance_with_keys_of_their_own(firm):
    ann, stranger = await firm.person("ann"), await firm.person("stranger")
    await firm.room.put(firm.owner, firm.one, ann)
    issued = await firm.room.issue_key(firm.one, ann, "laptop")
    ring = firm.platform.keys.ring
    found = ring.find(issued.text)
    assert found is not None and found.account is firm.one.account
    with pytest.raises(Refusal):
        await firm.room.issue_key(firm.one, stranger, "laptop")
    row = await firm.platform.keys.named(issued.id)
    other = await firm.room.rotate_key(firm.one, row, 0)
    assert ring.find(issued.text) is None and firm.one.keys[other.key.no] == ann.no
    await firm.room.remove(firm.owner, firm.one, ann)
    assert ring.find(other.text) is None and firm.room.of(ann) == []
    with pytest.raises(Refusal):
        await firm.room.issue_key(firm.one, ann, "again")


async def test_a_suspended_members_keys_rest_and_come_back(firm):
    """A key with rights beyond its owner's: those of an account that may do nothing at all."""
    ann = await firm.person("ann")
    await firm.room.put(firm.owner, firm.one, ann)
    kept = await firm.room.issue_key(firm.one, ann, "kept")
    ended = await firm.room.issue_key(firm.one, ann, "ended")
    playground = await firm.room.playground_key(firm.one, ann)
    short = firm.platform.short_keys.issue(firm.one.account, "ses_1", number=playground)
    find = firm.platform.keys.ring.find
    assert find(short.text) is not None
    await firm.platform.accounts.set_state(ann, "suspended")
    await firm.room.follow(ann)
    assert find(kept.text) is None and find(short.text) is None
    await firm.platform.keys.revoke(ended.id)
    await firm.reopen()
    assert firm.platform.keys.ring.find(kept.text) is None
    ann = firm.platform.accounts.named("ann@example.com")
    await firm.platform.accounts.set_state(ann, "active")
    await firm.room.follow(ann)
    assert firm.platform.keys.ring.find(kept.text) is not None
    assert firm.platform.keys.ring.find(ended.text) is None


async def test_a_manager_manages_members_only(firm):
    boss, ann, bob = [await firm.person(name) for name in ("boss", "ann", "bob")]
    room, one = firm.room, firm.one
    await room.put(firm.owner, one, boss, "manager")
    await room.put(boss, one, ann, monthly_limit_microusd=5)
    refused = [
        *(room.put(boss, one, boss, "owner"), room.put(boss, one, bob, "manager")),
        *(room.put(boss, one, bob, "owner"), room.put(boss, one, ann, "manager")),
        *(room.put(boss, one, firm.owner), room.put(boss, one, boss)),
        *(room.remove(boss, one, firm.owner), room.rename(boss, one, "Mine")),
        *(room.transfer(boss, one, ann), room.put(ann, one, ann)),
        *(room.put(bob, one, bob), room.remove(ann, one, boss), room.remove(bob, one, ann)),
    ]
    for attempt in refused:
        with pytest.raises(Refusal):
            await attempt
    assert firm.parts() == {"owner": "owner", "boss": "manager", "ann": "member"}
    assert one.members[ann.no].monthly_limit_microusd == 5
    await room.remove(ann, one, ann)  # everybody may leave


async def test_there_is_always_an_owner(firm):
    ann = await firm.person("ann")
    for attempt in (
        firm.room.remove(firm.owner, firm.one, firm.owner),
        firm.room.put(firm.owner, firm.one, firm.owner, "member"),
        firm.room.transfer(firm.owner, firm.one, ann),
        firm.room.transfer(firm.owner, firm.one, firm.owner),
    ):
        with pytest.raises(Refusal):
            await attempt
    await firm.room.put(firm.owner, firm.one, ann, monthly_limit_microusd=7)
    await firm.room.transfer(firm.owner, firm.one, ann)
    assert firm.parts() == {"owner": "manager", "ann": "owner"}
    assert firm.one.members[ann.no].monthly_limit_microusd == 7
    results = await asyncio.gather(  # two owners who leave at once
        firm.room.put(ann, firm.one, firm.owner, "owner"),
        firm.room.remove(ann, firm.one, ann),
        firm.room.remove(firm.owner, firm.one, firm.owner),
        return_exceptions=True,
    )
    assert [isinstance(each, Refusal) for each in results] == [False, False, True]
    await firm.reopen()
    assert firm.parts() == {"owner": "owner"}


async def test_what_members_spent_is_told_by_member(firm):
    ann, bob = await firm.person("ann"), await firm.person("bob")
    for person in (ann, bob):
        await firm.room.put(firm.owner, firm.one, person)
    first, second = [await firm.room.issue_key(firm.one, ann, name) for name in ("a", "b")]
    other = await firm.room.issue_key(firm.one, bob, "c")
    await firm.charge(first, 300)
    await firm.charge(second, 250, hours_ago=1)
    await firm.charge(first, 400, hours_ago=24 * 32)  # another month
    await firm.charge(other, 999)
    assert await firm.room.spent_this_month(firm.one) == {ann.no: 550, bob.no: 999}


async def test_a_limit_is_a_share_of_all_a_members_keys(firm):
    """Before and behind it: spending before the limit, a revoked key's, and after a restart."""
    ann = await firm.person("ann")
    await firm.room.put(firm.owner, firm.one, ann)
    gone = await firm.room.issue_key(firm.one, ann, "gone")
    await firm.charge(gone, 300)
    await firm.platform.keys.revoke(gone.id)
    key = (await firm.room.issue_key(firm.one, ann, "kept")).key
    own = (await firm.room.issue_key(firm.one, firm.owner, "owner's")).key

    def left(key_no):
        terms, now_us = firm.one.account.limits, firm.clock.now_us()
        asked = {"prompt_tokens": 1, "output_tokens": 1, "started_us": now_us}
        if terms is None:
            return None
        grant = firm.platform.tiers.limiter.admit(firm.one.account.no, key_no, terms, **asked)
        grant.cancel()
        return [window.available_microusd for window in grant.windows] or None

    assert left(key.no) is None
    await firm.room.put(firm.owner, firm.one, ann, "member", 1_000)
    assert left(key.no) == [700] and left(own.no) is None
    await firm.room.put(firm.owner, firm.one, ann, "member", 400)
    new = (await firm.room.issue_key(firm.one, ann, "new")).key
    assert left(new.no) == left(key.no) == [100]
    await firm.reopen()
    assert left(key.no) == [100]
    ann = firm.platform.accounts.named("ann@example.com")
    await firm.room.put(firm.owner, firm.one, ann, "member", None)
    assert left(key.no) is None


def test_parts_grow_and_desks_show_what_they_may():
    assert TABLE["member"] < TABLE["manager"] < TABLE["owner"] == ACTIONS
    with pytest.raises(KeyError):
        part_may("owner", "organisations.fly")


async def test_a_desk_shows_a_member_their_own_keys_alone(firm):
    ann, stranger = await firm.person("ann"), await firm.person("stranger")
    await firm.room.put(firm.owner, firm.one, ann)
    hers = await firm.room.issue_key(firm.one, ann, "a")
    other = await firm.room.issue_key(firm.one, firm.owner, "b")
    desk = desk_of(ann, firm.one)
    assert desk.account is firm.one.account and desk.key_nos == {hers.key.no}
    assert not desk.shows(other.key.no) and not desk.may("ledger.read")
    whole = desk_of(firm.owner, firm.one)
    assert whole.key_nos is None and whole.may("ledger.read")
    own = desk_of(stranger, firm.one)
    assert own.account is stranger and own.organisation is None and own.may("ledger.read")


async def test_every_change_is_on_record_by_id(firm):
    ann = await firm.person("ann")
    await firm.room.put(firm.owner, firm.one, ann)
    with pytest.raises(Refusal):
        await firm.room.put(ann, firm.one, ann, "owner")
    rows = await firm.platform.people.audit.newest(2)
    assert [row.detail for row in rows] == [f"put {ann.id} member", "found"]
    assert all((row.actor, row.target) == (firm.owner.id, firm.one.id) for row in rows)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "http://evil.example", "<b>", "a@b"])
async def test_a_name_can_be_shown_and_is_no_link(firm, name):
    for attempt in (firm.room.found(firm.owner, name), firm.room.rename(None, firm.one, name)):
        with pytest.raises(Refusal):
            await attempt


async def test_nobody_founds_without_end(firm):
    for number in range(MAX_FOUNDED - 1):
        await firm.room.found(firm.owner, f"number {number}")
    with pytest.raises(Refusal, match="at most"):
        await firm.room.found(firm.owner, "one more")
