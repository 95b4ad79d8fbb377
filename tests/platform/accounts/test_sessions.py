"""Sessions: opened, found, closed; expired, crowded out, or ended by a suspension."""

import hashlib

import pytest
from sqlalchemy import select

from gateway.platform.accounts.sessions import MAX_SESSIONS, SESSION_LIFETIME_US, Sessions
from gateway.store.schema.sessions import sessions as table


@pytest.fixture
async def opened(rooms):
    account = await rooms.accounts.create("someone@example.com")
    return rooms, account, Sessions(rooms.database, rooms.accounts, rooms.clock)


async def stored(rooms):
    return await rooms.database.read(lambda connection: connection.execute(select(table)).all())


async def test_a_session_is_found_by_its_token_only(opened):
    rooms, account, sessions = opened
    token = await sessions.open(account)
    assert await sessions.find(token) is account
    for wrong in ("", token[:-1], token + "x", token.swapcase(), "x" * 1_000_000, "\ud800"):
        assert await sessions.find(wrong) is None
    [row] = await stored(rooms)
    assert row.digest == hashlib.sha256(token.encode()).digest()
    assert token.encode() not in b"".join(file.read_bytes() for file in rooms.folder.iterdir())


async def test_a_closed_session_is_worth_nothing(opened):
    _, account, sessions = opened
    kept, closed = await sessions.open(account), await sessions.open(account)
    await sessions.close(closed)
    await sessions.close(closed)
    await sessions.close("")
    assert await sessions.find(closed) is None
    assert await sessions.find(kept) is account


async def test_a_session_ends_after_a_week(opened):
    rooms, account, sessions = opened
    token = await sessions.open(account)
    rooms.clock.advance(SESSION_LIFETIME_US / 1e6 - 1)
    assert await sessions.find(token) is account
    rooms.clock.advance(1)
    assert await sessions.find(token) is None
    await sessions.open(account)
    assert len(await stored(rooms)) == 1


async def test_the_oldest_give_way(opened):
    rooms, account, sessions = opened
    other = await rooms.accounts.create("other@example.com")
    others = await sessions.open(other)
    tokens = []
    for _ in range(MAX_SESSIONS + 3):
        tokens.append(await sessions.open(account))
        rooms.clock.advance(1)
    found = [await sessions.find(token) is not None for token in tokens]
    assert found == [False] * 3 + [True] * MAX_SESSIONS
    assert await sessions.find(others) is other


async def test_a_suspended_account_is_signed_out(opened):
    rooms, account, sessions = opened
    token = await sessions.open(account)
    await rooms.accounts.set_state(account, "suspended")
    assert await sessions.find(token) is None
