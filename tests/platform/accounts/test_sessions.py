"""Sessions: opened, found, closed; expired, crowded out, or ended by a suspension."""

import hashlib

import pytest
from sqlalchemy import select

from gateway.platform.accounts.sessions import DAY_US, MAX_SESSIONS, Sessions
from gateway.store.schema.sessions import sessions as table


def sessions_of(rooms):
    return Sessions(rooms.database, rooms.accounts, rooms.secrets, rooms.clock, rooms.ids)


@pytest.fixture
async def opened(rooms):
    account = await rooms.accounts.create("someone@example.com")
    return rooms, account, sessions_of(rooms)


async def stored(rooms):
    return await rooms.database.read(lambda connection: connection.execute(select(table)).all())


async def test_a_session_is_found_by_its_token_only(opened):
    rooms, account, sessions = opened
    token = await sessions.open(account)
    assert await sessions.account(token) is account
    for wrong in ("", token[:-1], token + "x", token.swapcase(), "x" * 1_000_000, "\ud800"):
        assert await sessions.account(wrong) is None
    [row] = await stored(rooms)
    assert row.digest == hashlib.sha256(token.encode()).digest()
    assert token.encode() not in b"".join(file.read_bytes() for file in rooms.folder.iterdir())


async def test_a_closed_session_is_worth_nothing(opened):
    _, account, sessions = opened
    kept, closed = await sessions.open(account), await sessions.open(account)
    await sessions.close(closed)
    await sessions.close(closed)
    await sessions.close("")
    assert await sessions.account(closed) is None
    assert await sessions.account(kept) is account


async def test_a_session_ends_after_a_week(opened):
    rooms, account, sessions = opened
    token = await sessions.open(account)
    rooms.clock.advance(7 * DAY_US / 1e6 - 1)
    assert await sessions.account(token) is account
    rooms.clock.advance(1)
    assert await sessions.account(token) is None
    await sessions.open(account)
    assert len(await stored(rooms)) == 1


async def test_a_clock_set_back_ends_sessions_rather_than_prolong_them(opened):
    rooms, account, sessions = opened
    token = await sessions.open(account)
    rooms.clock.advance(-30)
    assert await sessions.account(token) is account
    rooms.clock.advance(-365 * DAY_US / 1e6)
    assert await sessions.account(token) is None


async def test_the_oldest_give_way(opened):
    rooms, account, sessions = opened
    other = await rooms.accounts.create("other@example.com")
    others = await sessions.open(other)
    tokens = []
    for _ in range(MAX_SESSIONS + 3):
        tokens.append(await sessions.open(account))
        rooms.clock.advance(1)
    found = [await sessions.account(token) is not None for token in tokens]
    assert found == [False] * 3 + [True] * MAX_SESSIONS
    assert await sessions.account(others) is other


async def test_a_suspended_account_is_signed_out(opened):
    rooms, account, sessions = opened
    token = await sessions.open(account)
    await rooms.accounts.set_state(account, "suspended")
    assert await sessions.account(token) is None


async def test_every_step_has_a_token_of_its_own(opened):
    _, account, sessions = opened
    step = await sessions.open(account, stage="second", context={"challenge": "abc"})
    found = await sessions.find(step)
    assert (found.stage, found.context, found.account) == ("second", {"challenge": "abc"}, account)
    assert await sessions.account(step) is None
    token = await sessions.open(account, previous=step)
    assert await sessions.find(step) is None and await sessions.account(token) is account


async def test_sessions_are_listed_with_their_device_and_revoked_one_or_all(opened):
    rooms, account, sessions = opened
    other = await rooms.accounts.create("other@example.com")
    foreign = await sessions.open(other)
    first = await sessions.open(account, agent="Firefox")
    rooms.clock.advance(5)
    second = await sessions.open(account, agent="Chrome" * 1000)
    rows = await sessions.listing(account)
    assert [row.agent[:7] for row in rows] == ["ChromeC", "Firefox"]
    assert len(rows[0].agent) == 300
    assert not await sessions.revoke(other, rows[1].id)
    assert await sessions.revoke(account, rows[1].id)
    assert await sessions.account(first) is None and await sessions.account(second) is account
    await sessions.revoke_all(account)
    assert await sessions.account(second) is None and await sessions.account(foreign) is other
    [row] = await stored(rooms)
    assert b"Firefox" not in row.agent_sealed


async def test_a_session_says_when_it_was_seen(opened):
    rooms, account, sessions = opened
    token = await sessions.open(account)
    rooms.clock.advance(3600)
    await sessions.find(token)
    [row] = await sessions.listing(account)
    assert row.seen_us - row.created_us == 3600 * 1_000_000


async def test_half_way_sign_ins_end_no_open_session(opened):
    _, account, sessions = opened
    token = await sessions.open(account)
    for _ in range(MAX_SESSIONS + 5):
        await sessions.open(account, stage="second")
    assert await sessions.account(token) is account
