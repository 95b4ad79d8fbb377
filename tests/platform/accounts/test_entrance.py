"""Signing in: counted tries, known devices, resets, and what ends a session."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from gateway.base.errors import Overloaded, TooManyAttempts
from gateway.platform.accounts.guesses import ACCOUNT_LIMIT, ADDRESS_LIMIT, Visit
from gateway.platform.accounts.passwords import thread_count
from gateway.platform.accounts.sign_up import Wish
from gateway.platform.refusals import Problem, Refusal
from tests.platform.accounts.conftest import ADULT, HOME, PASSWORD

EMAIL = "ann@example.com"


def stranger(number):
    return Visit(f"203.0.113.{number}", f"curl/{number}")


async def guess(owner, visit, password="wrong password", email=EMAIL):
    try:
        await owner.entrance.by_password(email, password, visit)
    except Problem as problem:
        assert str(problem) == "form: wrong"
        return "wrong"
    except TooManyAttempts:
        return "refused"
    return "in"


async def test_ten_guesses_in_all_over_a_hundred_addresses_and_restarts(owner, ann):
    results = []
    for number in range(100):
        if number == 5:
            await owner.reopen()
        results.append(await guess(owner, stranger(number)))
    assert results == ["wrong"] * ACCOUNT_LIMIT + ["refused"] * 90
    assert await guess(owner, stranger(101), PASSWORD) == "refused"
    owner.rooms.clock.advance(15 * 60)
    assert await guess(owner, stranger(101), PASSWORD) == "in"


async def test_a_clock_set_back_locks_nobody_out_for_longer(owner, ann):
    for number in range(ACCOUNT_LIMIT):
        assert await guess(owner, stranger(number)) == "wrong"
    owner.rooms.clock.advance(-365 * 86_400)
    assert await guess(owner, stranger(101), PASSWORD) == "refused"
    owner.rooms.clock.advance(15 * 60)
    assert await guess(owner, stranger(101), PASSWORD) == "in"


async def test_guesses_made_at_once_are_counted_before_they_are_tried(owner, ann):
    results = await asyncio.gather(*(guess(owner, stranger(n)) for n in range(16)))
    assert sorted(results) == ["refused"] * 6 + ["wrong"] * 10


async def test_the_owner_is_not_locked_out_where_they_signed_in_before(owner, ann):
    token = (await owner.entrance.by_password(EMAIL, PASSWORD, HOME)).token
    for number in range(20):
        await guess(owner, stranger(number))
    here = replace(HOME, token=token)
    assert await guess(owner, here, PASSWORD) == "in"  # the same place and browser
    elsewhere = Visit("192.0.2.99", "another browser", token)
    assert await guess(owner, elsewhere, PASSWORD) == "refused"  # its token was replaced
    token = (await owner.entrance.by_password(EMAIL, PASSWORD, HOME)).token
    owner.rooms.clock.advance(8 * 86_400)  # the session has ended, the device is still known
    for number in range(20):
        await guess(owner, stranger(number))
    assert await owner.account(token) is None
    assert await guess(owner, replace(elsewhere, token=token), PASSWORD) == "in"


async def test_a_known_device_has_ten_guesses_too(owner, ann):
    results = [await guess(owner, HOME) for _ in range(12)]
    assert results == ["wrong"] * 10 + ["refused"] * 2
    assert await guess(owner, stranger(1), PASSWORD) == "in"


async def test_an_unknown_address_is_refused_just_alike(owner, ann):
    for email in ("nobody@example.com", "no address at all", "", "no@address at all", "@\0\ud800"):
        results = [await guess(owner, stranger(n), email=email) for n in range(11)]
        assert results == ["wrong"] * 10 + ["refused"]


async def test_one_place_cannot_try_many_accounts(owner, ann):
    visit = stranger(1)
    results = [await guess(owner, visit, email=f"u{n}@example.com") for n in range(101)]
    assert results == ["wrong"] * ADDRESS_LIMIT + ["refused"]
    assert await guess(owner, visit, PASSWORD) == "refused"
    neighbour = replace(HOME, address=visit.address)
    assert await guess(owner, neighbour, PASSWORD) == "refused"
    owner.rooms.clock.advance(15 * 60)
    assert await guess(owner, neighbour, PASSWORD) == "in"
    for number in range(101):
        await guess(owner, visit, email=f"u{number}@example.com")
    assert await guess(owner, neighbour, PASSWORD) == "in"  # known there by now


async def test_right_passwords_are_not_counted(owner, ann):
    for _ in range(30):
        assert await guess(owner, HOME, PASSWORD) == "in"


async def test_a_flood_is_refused_before_it_hashes(owner, ann):
    passwords = owner.people.passwords
    many = passwords.most_waiting + 24
    results = await asyncio.gather(
        *(passwords.hash("a password") for _ in range(many)), return_exceptions=True
    )
    refused = [each for each in results if isinstance(each, Overloaded)]
    assert len(refused) == 24 and refused[0].retry_after_s


async def test_a_hash_that_nothing_lets_begin_is_refused_in_the_end(owner, ann, monkeypatch):
    monkeypatch.setattr("gateway.platform.accounts.passwords.PATIENCE_S", 0.02)
    passwords, free = owner.people.passwords, threading.Event()
    blocked = [passwords._threads.submit(free.wait, 10) for _ in range(thread_count())]
    with pytest.raises(Overloaded):
        await passwords.hash("a password")
    free.set()
    assert all(each.result() for each in blocked)
    assert await passwords.hash("a password") and passwords._waiting == 0


async def test_a_caller_who_leaves_makes_no_room_while_its_work_waits(owner, ann):
    passwords = owner.people.passwords
    passwords.cost = 10
    many = passwords.most_waiting
    tasks = [asyncio.create_task(passwords.hash("a password")) for _ in range(many)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with pytest.raises(Overloaded):
        await passwords.hash("one more")
    async with asyncio.timeout(30):
        while passwords._waiting:
            await asyncio.sleep(0.02)
    passwords.cost = 4
    await passwords.hash("one more")


async def test_a_try_that_was_never_made_is_not_counted(owner, ann):
    passwords, free = owner.people.passwords, threading.Event()
    blocked = [passwords._threads.submit(free.wait, 60) for _ in range(thread_count())]
    many = passwords.most_waiting
    tasks = [asyncio.create_task(passwords.hash("a password")) for _ in range(many)]
    await asyncio.sleep(0)
    written = owner.rooms.database.writer.batches
    for _ in range(12):
        with pytest.raises(Overloaded):
            await owner.entrance.by_password(EMAIL, PASSWORD, stranger(1))
    assert owner.rooms.database.writer.batches == written  # a flood does not reach the disk
    free.set()
    await asyncio.gather(*tasks)
    assert all(each.result() for each in blocked)
    assert await guess(owner, stranger(1), PASSWORD) == "in"


@contextmanager
def _no_core_left(passwords, monkeypatch):
    """Within this nothing is hashed: there is room to wait, and whoever waits is refused."""
    monkeypatch.setattr("gateway.platform.accounts.passwords.PATIENCE_S", 0.02)
    free = threading.Event()
    blocked = [passwords._threads.submit(free.wait, 60) for _ in range(thread_count())]
    yield
    free.set()
    assert all(each.result() for each in blocked)
    monkeypatch.undo()


async def test_whoever_waited_in_vain_has_not_tried(owner, ann, monkeypatch):
    token = (await owner.entrance.by_password(EMAIL, PASSWORD, HOME)).token
    session, visit = await owner.sessions.find(token), stranger(2)
    await owner.people.sign_up.ask(Wish("bob@example.com", PASSWORD, True, ADULT), HOME)
    link = next(each.token for each in await owner.letters() if each.to == "bob@example.com")
    acts = (
        lambda: owner.entrance.by_password(EMAIL, PASSWORD, visit),
        lambda: owner.entrance.confirm_owner(session, PASSWORD, visit),
        lambda: owner.people.sign_up.confirm(link, PASSWORD, visit),
    )
    for act in acts:
        with _no_core_left(owner.people.passwords, monkeypatch):
            for _ in range(12):
                with pytest.raises(Overloaded):
                    await act()
        await act()


async def test_a_suspended_account_is_nobodys(owner, ann):
    await owner.rooms.accounts.set_state(ann, "suspended")
    assert await guess(owner, HOME, PASSWORD) == "wrong"


async def test_a_new_device_is_told_to_the_owner_once(owner, ann):
    async def notices():
        return [each for each in await owner.letters() if each.kind == "new_device"]

    assert await notices() == []  # the first device is no news
    for _ in range(2):
        await owner.entrance.by_password(EMAIL, PASSWORD, stranger(4))
    [notice] = await notices()
    assert notice.to == EMAIL and notice.values["agent"] == "curl/4"
    await owner.entrance.by_password(EMAIL, PASSWORD, HOME)
    assert len(await notices()) == 1


async def reset_token(owner, email=EMAIL):
    await owner.entrance.ask_reset(email, HOME)
    return next((each.token for each in await owner.letters() if each.kind == "reset"), None)


async def test_a_reset_ends_every_session_and_works_once(owner, ann):
    before = (await owner.entrance.by_password(EMAIL, PASSWORD, HOME)).token
    token = await reset_token(owner)
    with pytest.raises(Problem, match="too_short"):
        await owner.entrance.reset(token, "short")
    assert await owner.entrance.reset(token, "another password") is ann
    assert await owner.account(before) is None
    with pytest.raises(Refusal):
        await owner.entrance.reset(token, "yet another one")
    assert await guess(owner, stranger(1), PASSWORD) == "wrong"
    assert await guess(owner, stranger(1), "another password") == "in"
    assert "password_changed" in [each.kind for each in await owner.letters()]


async def test_a_reset_is_good_for_an_hour(owner, ann):
    token = await reset_token(owner)
    owner.rooms.clock.advance(3600)
    with pytest.raises(Refusal):
        await owner.entrance.reset(token, "another password")


async def test_simultaneous_resets_work_once(owner, ann):
    token = await reset_token(owner)
    results = await asyncio.gather(
        *(owner.entrance.reset(token, f"password {n}") for n in range(8)), return_exceptions=True
    )
    assert sum(not isinstance(each, Refusal) for each in results) == 1


async def test_a_reset_for_nobody_looks_the_same_and_sends_nothing(owner, ann):
    assert await owner.entrance.ask_reset("nobody@example.com", HOME) is None
    assert await owner.entrance.ask_reset("not an address", HOME) is None
    assert [each.kind for each in await owner.letters()] == ["confirm"]


async def test_changing_the_password_renews_this_session_and_ends_the_others(owner, ann):
    other = (await owner.entrance.by_password(EMAIL, PASSWORD, stranger(3))).token
    here = (await owner.entrance.by_password(EMAIL, PASSWORD, HOME)).token
    session = await owner.sessions.find(here)
    visit = replace(HOME, token=here)
    with pytest.raises(Problem):
        await owner.entrance.confirm_owner(session, "wrong password", visit)
    await owner.entrance.confirm_owner(session, PASSWORD, visit)
    renewed = await owner.entrance.change_password(session, "another password", visit)
    assert await owner.account(other) is None and await owner.account(here) is None
    assert await owner.account(renewed) is ann
