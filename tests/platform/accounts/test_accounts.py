import asyncio

import pytest

from gateway.platform.accounts.accounts import normal_email
from gateway.platform.accounts.sign_in import SignInLinks
from gateway.platform.refusals import Refusal


async def test_an_account_is_found_again_after_a_restart(rooms):
    made = await rooms.accounts.create(" Ann@Example.COM ", "administrator")
    assert made.email == "ann@example.com"
    await rooms.reopen()
    found = rooms.accounts.named("ANN@example.com")
    assert (found.no, found.id, found.role, found.state) == (
        made.no,
        made.id,
        "administrator",
        "active",
    )


async def test_an_address_belongs_to_one_account_even_when_many_ask_at_once(rooms):
    results = await asyncio.gather(
        *(rooms.accounts.create("a@b.c") for _ in range(5)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, Refusal)]
    assert len(refused) == 4
    assert str(refused[0]) == "the account a@b.c exists already"
    assert len(rooms.accounts) == 1


@pytest.mark.parametrize(
    "text", ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@\nb", "a@" + "b" * 260, "<a@b.c>"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(Refusal, match="not an e-mail address"):
        normal_email(text)


def test_two_spellings_of_one_letter_are_one_address():
    assert normal_email("re\u0301@b.c") == normal_email("r\u00e9@b.c\n")


async def test_suspension_reaches_the_shared_record_and_lasts(rooms):
    account = await rooms.accounts.create("a@b.c")
    await rooms.accounts.set_state(account, "suspended")
    assert account.state == "suspended"
    await rooms.reopen()
    assert rooms.accounts.named("a@b.c").state == "suspended"


async def test_an_unknown_account_says_how_to_make_it(rooms):
    with pytest.raises(Refusal, match=r"accounts create x@y\.z"):
        rooms.accounts.named("x@y.z")


def links_of(rooms):
    return SignInLinks(rooms.database, rooms.accounts, rooms.secrets, rooms.clock)


async def test_a_link_signs_in_once(rooms):
    account = await rooms.accounts.create("a@b.c")
    links = links_of(rooms)
    token = await links.create(account)
    assert len(token) == 43
    assert await links.redeem(token) is account
    with pytest.raises(Refusal):
        await links.redeem(token)


async def test_many_simultaneous_uses_sign_in_once(rooms):
    links = links_of(rooms)
    token = await links.create(await rooms.accounts.create("a@b.c"))
    results = await asyncio.gather(
        *(links.redeem(token) for _ in range(20)), return_exceptions=True
    )
    assert sum(not isinstance(result, Refusal) for result in results) == 1


async def test_a_link_dies_after_a_day_and_for_a_suspended_account(rooms):
    account = await rooms.accounts.create("a@b.c")
    links = links_of(rooms)
    token = await links.create(account)
    rooms.clock.advance(24 * 3600)
    with pytest.raises(Refusal) as late:
        await links.redeem(token)
    fresh = await links.create(account)
    await rooms.accounts.set_state(account, "suspended")
    with pytest.raises(Refusal) as suspended:
        await links.redeem(fresh)
    with pytest.raises(Refusal) as unknown:
        await links.redeem("nonsense")
    assert str(late.value) == str(suspended.value) == str(unknown.value)


async def test_no_token_is_stored(rooms):
    token = await links_of(rooms).create(await rooms.accounts.create("a@b.c"))
    await rooms.close()
    for path in rooms.folder.iterdir():
        assert token.encode() not in path.read_bytes()
    await rooms.open()
