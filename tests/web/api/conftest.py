"""A gateway with one upstream, and a signed-in program that calls the self-service API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import EMAIL, Answer, RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream

OWN = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Program:
    """Calls as one account, by its session or by a key."""

    gateway: RunningGateway
    headers: dict[str, str]

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        async with self.gateway.session.request(
            method,
            f"{self.gateway.url}/api/v1{path}",
            json=body,
            headers=self.headers | headers,
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def get(self, path: str) -> Any:
        answer = await self.call("GET", path)
        assert answer.status == 200, answer.body
        return answer.json


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    upstream = await FakeUpstream().start()
    async with running(tmp_path / "data", upstream) as one:
        yield one
    await upstream.stop()


async def signed_in(gateway: RunningGateway, email: str = EMAIL) -> Program:
    people = gateway.gateway.platform.people
    account = people.accounts.find(email) or await people.accounts.create(email)
    return Program(gateway, {"Cookie": f"token={await people.sessions.open(account)}"} | OWN)


@pytest.fixture
async def program(gateway: RunningGateway) -> Program:
    return await signed_in(gateway)


async def spend(gateway: RunningGateway, times: int) -> None:
    for number in range(times):
        assert (await gateway.post(chat(f"hello {number}"))).status == 200
    await gateway.settled()
