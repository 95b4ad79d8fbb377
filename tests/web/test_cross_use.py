"""Each token opens the one door it was made for, and is not used up where it was not.

Elsewhere one salt served two purposes, and what was made for one of them was good for the other.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.platform.accounts.ages import Said
from gateway.platform.accounts.guesses import Visit
from gateway.platform.accounts.sign_up import Wish
from tests.fakes.gateway import EMAIL, RunningGateway, running
from tests.web.test_console import get, new_link, post
from tests.web.test_entrance import PASSWORD, letter

HOME = Visit("198.51.100.7", "Firefox")
Door = Callable[[RunningGateway, str], Awaitable[bool]]


def reading(path: str, **headers: str) -> Door:
    """A door that shows something to whoever has the token, which stands where "{}" does."""

    async def opens(gateway: RunningGateway, token: str) -> bool:
        shown = {name: value.format(token) for name, value in headers.items()}
        response, _ = await get(gateway, path.format(token), **shown)
        return bool(response.status == 200)

    opens.__name__ = path
    return opens


bearer = reading("/v1/models", Authorization="Bearer {}")
interface = reading("/api/v1/balance", Authorization="Bearer {}")
cookie = reading("/console", Cookie="token={}")
second_step = reading("/sign-in/code", Cookie="token={}")
invitation = reading("/invitations/{}")


async def link(gateway: RunningGateway, token: str) -> bool:
    response, _ = await post(gateway, f"/sign-in/{token}")
    return response.status == 303 and bool(response.cookies["token"].value)


async def confirmation(gateway: RunningGateway, token: str) -> bool:
    response, _ = await post(gateway, f"/confirm/{token}", {"password": PASSWORD})
    return response.status == 303 and bool(response.cookies["token"].value)


async def reset(gateway: RunningGateway, token: str) -> bool:
    response, _ = await post(gateway, f"/reset/{token}", {"password": "battery staple"})
    return bool(response.status == 303)


async def address(gateway: RunningGateway, token: str) -> bool:
    response, _ = await post(gateway, f"/settings/address/{token}")
    return bool(response.status == 303)


# Which doors each token opens; the last uses it up, or ends what it is for.
OPENS: dict[str, list[Door]] = {
    "key": [bearer, interface],
    "session": [cookie],
    "half-way session": [second_step],
    "link": [link],
    "confirmation": [confirmation],
    "invitation": [invitation],
    "address": [address],
    "reset": [reset],
}
DOORS = list(dict.fromkeys(door for doors in OPENS.values() for door in doors))


async def tokens(gateway: RunningGateway) -> dict[str, str]:
    """One of each; whose it is, is told apart by nothing but what the token was made for."""
    platform = gateway.gateway.platform
    people = platform.people
    account = platform.accounts.named(EMAIL)
    found = {"key": gateway.key, "session": await people.sessions.open(account)}
    found["half-way session"] = await people.sessions.open(account, stage="second")
    found["link"] = await new_link(gateway)
    await people.sign_up.ask(Wish("ann@example.com", PASSWORD, True, Said("1960", "yes")), HOME)
    found["confirmation"] = (await letter(gateway, "confirm")).token
    await people.entrance.ask_reset(EMAIL, HOME)
    found["reset"] = (await letter(gateway, "reset")).token
    shared = await platform.organisations.found(account, "Ours")
    await platform.invitations.invite(account, shared, "guest@example.com")
    found["invitation"] = (await letter(gateway, "invitation")).token
    await people.addresses.ask(account, "new@example.com", HOME)
    found["address"] = (await letter(gateway, "address")).token
    return found


async def test_no_token_opens_another_door(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as gateway:
        gateway.gateway.platform.people.passwords.cost = 4
        made = await tokens(gateway)
        assert made.keys() == OPENS.keys() and len(set(made.values())) == len(made)
        for name, token in made.items():
            for door in DOORS:
                if door not in OPENS[name]:
                    assert not await door(gateway, token), (name, door.__name__)
        for name, doors in OPENS.items():
            for door in doors:
                assert await door(gateway, made[name]), (name, door.__name__)
