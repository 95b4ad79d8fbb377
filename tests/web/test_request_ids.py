"""Every answer of the console names its request; a page of errors and the log name it, too."""

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.base.errors import StorageUnavailable
from tests.fakes.gateway import RunningGateway, running
from tests.web.browser.sessions import OWN, sign_in

ID = re.compile(r"req_[0-9a-f]{28}")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


async def ask(
    gateway: RunningGateway, path: str, method: str = "GET", **headers: str
) -> tuple[int, str, str]:
    async with gateway.session.request(
        method, gateway.url + path, headers=headers, allow_redirects=False
    ) as response:
        [id] = response.headers.getall("x-request-id")
        assert ID.fullmatch(id), path
        return response.status, id, await response.text()


async def test_every_answer_has_an_id_of_its_own(gateway: RunningGateway) -> None:
    me = f"token={await sign_in(gateway)}"
    seen = set()
    for path, status in (
        *(("/", 200), ("/sign-in", 200), ("/console", 303), ("/healthz", 200)),
        *(("/api/v1/account", 401), ("/openapi.json", 200), ("/none", 404)),
    ):
        found, id, _ = await ask(gateway, path)
        assert found == status, path
        seen.add(id)
    seen.add((await ask(gateway, "/console", Cookie=me))[1])
    seen.add((await ask(gateway, "/sign-out", "POST", Cookie=me))[1])  # refused: of another site
    seen.add((await ask(gateway, "/sign-out", "POST", Cookie=me, **OWN))[1])
    assert len(seen) == 10


async def test_a_stream_has_one_from_its_beginning(gateway: RunningGateway) -> None:
    me = {"Cookie": f"token={await sign_in(gateway)}"}
    async with gateway.session.get(gateway.url + "/console/events", headers=me) as response:
        assert ID.fullmatch(response.headers["x-request-id"])


async def test_a_page_of_errors_shows_it_also_where_the_page_is_kept(
    gateway: RunningGateway,
) -> None:
    me = f"token={await sign_in(gateway)}"
    for cookie in ("", "", me, me):
        status, id, text = await ask(gateway, "/none", Cookie=cookie)
        assert status == 404 and f"<code>{id}</code>" in text
        assert ID.findall(text) == [id]


@pytest.mark.parametrize(
    ("error", "status", "event"),
    [(RuntimeError("secret"), 500, "page failed"), (StorageUnavailable(), 503, "page refused")],
)
async def test_the_log_line_of_a_failure_has_it(
    gateway: RunningGateway,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    event: str,
) -> None:
    async def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(gateway.gateway.platform.people.sessions, "find", fail)
    with caplog.at_level(logging.WARNING, "tallygate.web"):
        found, id, text = await ask(gateway, "/console")
    assert found == status and id in text
    [record] = [each for each in caplog.records if each.getMessage() == event]
    assert vars(record)["f"]["request_id"] == id
