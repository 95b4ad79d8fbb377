"""Organisations: one balance, several people, and rights that do not grow by themselves."""

import time

import pytest
from sqlalchemy import insert

from gateway.platform.audit import Audit
from gateway.platform.organisations import Organisations
from gateway.platform.refusals import Refusal
from gateway.store.schema.request_log import usage_hourly


class Firm:
    def __init__(self, rooms):
        self.rooms = rooms
        self.audit = Audit(rooms.database, rooms.secrets, rooms.clock)
        self.room = Organisations(
            rooms.database, rooms.accounts, rooms.keys, self.audit, rooms.clock, rooms.ids
        )

    async def person(self, name):
        return await self.rooms.accounts.create(f"{name}@example.com")

    async def roles(self):
        found = await self.room.members(self.account)
        return {each.account.email.partition("@")[0]: each.role for each in found}


@pytest.fixture
async def firm(rooms):
    made = Firm(rooms)
    made.owner = await made.person("owner")
    made.account = await made.room.found(made.owner, "Öst & Co")
    return made


async def test_an_organisation_is_an_account_that_nobody_signs_in_as(firm):
    assert firm.account.email.endswith("@organisation.invalid")
    assert await firm.room.of(firm.owner) == [(firm.account, "Öst & Co")]
    assert await firm.roles() == {"owner": "owner"}
    await firm.rooms.reopen()
    assert firm.rooms.accounts.by_no(firm.account.no).id == firm.account.id


async def test_members_spend_the_shared_balance_with_keys_of_their_own(firm):
    ann, stranger = await firm.person("ann"), await firm.person("stranger")
    await firm.room.put(firm.owner, firm.account, ann)
    issued = await firm.room.issue_key(firm.account, ann, "laptop")
    found = firm.rooms.keys.ring.find(issued.text.encode())
    assert found is not None and found.account is firm.account
    with pytest.raises(Refusal):
        await firm.room.issue_key(firm.account, stranger, "laptop")
    await firm.room.remove(firm.owner, firm.account, ann)
    assert firm.rooms.keys.ring.find(issued.text.encode()) is None
    with pytest.raises(Refusal):
        await firm.room.issue_key(firm.account, ann, "again")


async def test_a_manager_manages_members_only(firm):
    boss, ann, bob = [await firm.person(name) for name in ("boss", "ann", "bob")]
    await firm.room.put(firm.owner, firm.account, boss, "manager")
    await firm.room.put(boss, firm.account, ann, monthly_limit_microusd=5)
    for target, role in ((boss, "owner"), (bob, "manager"), (bob, "owner"), (ann, "manager")):
        with pytest.raises(Refusal):
            await firm.room.put(boss, firm.account, target, role)
    for target in (firm.owner, boss):
        with pytest.raises(Refusal):
            await firm.room.put(boss, firm.account, target)
    with pytest.raises(Refusal):
        await firm.room.remove(boss, firm.account, firm.owner)
    for by in (ann, bob):
        with pytest.raises(Refusal):
            await firm.room.put(by, firm.account, bob)
        with pytest.raises(Refusal):
            await firm.room.remove(by, firm.account, boss)
    assert await firm.roles() == {"owner": "owner", "boss": "manager", "ann": "member"}
    await firm.room.remove(ann, firm.account, ann)  # everybody may leave


async def test_there_is_always_an_owner(firm):
    ann = await firm.person("ann")
    with pytest.raises(Refusal, match="owner"):
        await firm.room.remove(firm.owner, firm.account, firm.owner)
    with pytest.raises(Refusal, match="owner"):
        await firm.room.put(firm.owner, firm.account, firm.owner, "member")
    await firm.room.put(firm.owner, firm.account, ann, "owner")
    await firm.room.remove(firm.owner, firm.account, firm.owner)
    assert await firm.roles() == {"ann": "owner"}


async def test_what_a_member_has_left_is_read_from_the_charges(firm):
    ann, bob = await firm.person("ann"), await firm.person("bob")
    await firm.room.put(firm.owner, firm.account, ann, monthly_limit_microusd=1_000)
    await firm.room.put(firm.owner, firm.account, bob)
    keys = [await firm.room.issue_key(firm.account, ann, name) for name in ("a", "b")]
    other = await firm.room.issue_key(firm.account, bob, "c")
    now_hour = firm.rooms.clock.now_us() // 3_600_000_000
    day = time.gmtime(now_hour * 3600).tm_mday

    def charge(key, hour, cost):
        names = [column.name for column in usage_hourly.c]
        row = dict.fromkeys(names, 0) | {"model": "m", "provider": "p"}
        row |= {"hour": hour, "key_no": key.key.no, "account_no": firm.account.no}
        return firm.rooms.database.write(
            lambda c: c.execute(insert(usage_hourly).values(row | {"cost_microusd": cost}))
        )

    await charge(keys[0], now_hour, 300)
    await charge(keys[1], now_hour - 1, 250)
    await charge(keys[0], now_hour - 24 * day - 24, 400)  # last month
    await charge(other, now_hour, 999)
    assert await firm.room.spent_this_month(firm.account, ann) == 550
    members = {each.account: each for each in await firm.room.members(firm.account)}
    assert await firm.room.left_this_month(firm.account, members[ann]) == 450
    assert await firm.room.left_this_month(firm.account, members[bob]) is None


async def test_every_change_is_on_record_by_id(firm):
    ann = await firm.person("ann")
    await firm.room.put(firm.owner, firm.account, ann)
    with pytest.raises(Refusal):
        await firm.room.put(ann, firm.account, ann, "owner")
    rows = await firm.audit.newest(10)
    assert [row.detail for row in rows] == [f"put {ann.id} member", "found"]
    assert all(row.target == firm.account.id for row in rows)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb"])
async def test_a_name_can_be_shown(firm, name):
    with pytest.raises(Refusal):
        await firm.room.found(firm.owner, name)
