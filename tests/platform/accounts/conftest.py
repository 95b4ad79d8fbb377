"""The people's rooms over a real database, with a hash that is quick to make."""

import pytest

from gateway.base.config import load
from gateway.platform.accounts.ages import Said
from gateway.platform.accounts.guesses import Visit
from gateway.platform.people import open_people

QUICK = 4  # bcrypt's least cost
PASSWORD = "correct horse"
HOME = Visit("198.51.100.7", "Firefox")
ADULT = Said("1960", "yes")


class Owner:
    """Somebody with an account and a password, and the rooms to try things on."""

    def __init__(self, rooms):
        self.rooms = rooms
        self.open()

    def open(self, **flags):
        rooms = self.rooms
        settings = load(environ={}, flags=flags)
        self.people = open_people(
            settings, rooms.database, rooms.secrets, rooms.clock, rooms.ids, rooms.accounts
        )
        self.people.passwords.cost = QUICK
        self.entrance = self.people.entrance
        self.sessions = self.people.sessions

    async def letters(self):
        """Every letter that waits, newest first."""
        return [shown.letter for shown in await self.people.mail.undelivered()]

    async def account(self, token):
        return await self.sessions.account(token)

    async def reopen(self):
        self.people.close()
        await self.rooms.reopen()
        self.open()


@pytest.fixture
async def owner(rooms):
    made = Owner(rooms)
    yield made
    made.people.close()


@pytest.fixture
async def ann(owner):
    """An account that has signed up, confirmed, and signed in from HOME."""
    from gateway.platform.accounts.sign_up import Wish

    wish = Wish("ann@example.com", PASSWORD, True, ADULT)
    await owner.people.sign_up.ask(wish, HOME)
    [letter] = await owner.letters()
    account = await owner.people.sign_up.confirm(letter.token, PASSWORD, HOME)
    await owner.entrance.enter(account, HOME)
    return account
