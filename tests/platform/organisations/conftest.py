"""An organisation and its people over every open room, on a clock that stands."""

import pytest

from gateway.base.clock import ManualClock
from gateway.base.config import load
from gateway.platform.accounts.guesses import Visit
from gateway.platform.assembly import open_platform
from gateway.platform.request_log.record import RequestRow
from gateway.platform.request_log.rollup import add_rows
from tests.fakes.folder import new_folder

PHONE = Visit("203.0.113.9", "Mozilla/5.0 Phone")


class Firm:
    def __init__(self, folder):
        self.folder = folder
        self.clock = ManualClock()

    async def open(self):
        settings = load(environ={}, flags={})
        self.platform = await open_platform(
            settings, new_folder(self.folder), self.clock, first_start=False, environ={}
        )
        self.room = self.platform.organisations
        self.invitations = self.platform.invitations
        return self

    async def reopen(self):
        id = self.one.id
        await self.platform.close()
        await self.open()
        self.one = self.room.named(id)
        self.owner = self.platform.accounts.named("owner@example.com")

    async def person(self, name):
        return await self.platform.accounts.create(f"{name}@example.com")

    def parts(self):
        members = self.one.members.values()
        return {each.account.email.partition("@")[0]: each.part for each in members}

    async def charge(self, key, cost_microusd, hours_ago=0):
        hour = self.clock.now_us() // 3_600_000_000 - hours_ago
        row = dict.fromkeys(RequestRow._fields, 0)
        row |= {"model": "m", "provider": "p", "outcome": "completed", "units": ""}
        row |= {"started_us": hour * 3_600_000_000, "cost_microusd": cost_microusd}
        row |= {"account_no": self.one.account.no, "key_no": key.key.no}
        await self.platform.database.write(lambda c: add_rows(c, [RequestRow(**row)]))

    async def letters(self):
        return [each.letter for each in await self.platform.people.mail.undelivered()]


@pytest.fixture
async def firm(tmp_path):
    made = await Firm(tmp_path / "data").open()
    made.owner = await made.person("owner")
    made.one = await made.room.found(made.owner, "Öst & Co")
    yield made
    await made.platform.close()
