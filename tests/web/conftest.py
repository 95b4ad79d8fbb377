"""Every page that a test of the web asks for is drawn of values that went to another process."""

import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.web import oauth
from gateway.web.console.render import Pages
from tests.fakes.sites import FakeSites


@pytest.fixture(autouse=True)
def values_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Pages.text

    def text(pages: Pages, template: str, language: Any, /, **values: Any) -> str:
        return draw(pages, template, language, **pickle.loads(pickle.dumps(values)))

    monkeypatch.setattr(Pages, "text", text)


@pytest.fixture
async def sites(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeSites]:
    """The sites that people sign in with, on this machine."""
    started = await FakeSites().start()
    for name, provider in started.known().items():
        monkeypatch.setitem(oauth.KNOWN, name, provider)
    yield started
    await started.stop()
