"""Rooms over a real database in a temporary folder."""

import pytest

from gateway.base.clock import ManualClock
from gateway.base.ids import IdFactory
from gateway.platform.accounts import Accounts
from gateway.platform.keys import Keys
from gateway.store.database import Database
from gateway.store.secrets import Secrets


class Rooms:
    """What most tests of platform rooms need, opened on one folder; `reopen` starts anew."""

    def __init__(self, folder, where=None):
        self.folder = folder
        self.where = where or folder / "tallygate.db"
        self.clock = ManualClock()

    async def open(self):
        self.database = Database.open(self.where, clock=self.clock)
        self.secrets = Secrets.open(self.folder, {})
        self.ids = IdFactory(self.clock)
        self.accounts = Accounts(self.database, self.secrets, self.clock, self.ids)
        self.keys = Keys(self.database, self.accounts, self.secrets, self.clock, self.ids)
        await self.accounts.load()
        await self.keys.load()
        return self

    async def close(self):
        await self.database.close()

    async def reopen(self):
        await self.close()
        return await self.open()


@pytest.fixture
async def rooms(tmp_path, where):
    made = await Rooms(tmp_path, where).open()
    yield made
    await made.close()
