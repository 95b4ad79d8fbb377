"""Administration in each language: what settings say of themselves is not left in English."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.base.config import SETTINGS
from gateway.web.console import i18n
from tests.fakes.gateway import RunningGateway, running
from tests.fakes.upstream import FakeUpstream
from tests.web.admin.test_pages import staff
from tests.web.test_console import get
from tests.web.test_security_settings import Browser

# Words that no English sentence here does without, and that no other language here has.
_ENGLISH = re.compile(r"\b(the|is|are|must|with|not|of|from|has|by|this|at|known|none)\b")


class Reader(Browser):
    """An administrator who reads one language."""

    def __init__(self, gateway: RunningGateway, token: str, code: str) -> None:
        super().__init__(gateway, token)
        self.code = code

    @property
    def cookie(self) -> dict[str, str]:
        own = super().cookie
        return own | {"Cookie": f"{own['Cookie']}; locale={self.code}"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    upstream = await FakeUpstream().start()
    async with running(tmp_path / "data", upstream) as one:
        yield one
    await upstream.stop()


@pytest.fixture(params=i18n.LANGUAGES)
async def reader(gateway: RunningGateway, request: pytest.FixtureRequest) -> Reader:
    return Reader(gateway, (await staff(gateway)).token, request.param)


def prose(text: str) -> str:
    """What a piece of a page says, without code."""
    text = re.sub(r"<(code|pre|textarea|script)\b.*?</\1>", " ", text, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def english(text: str) -> list[str]:
    """The English words of a text."""
    return [found.group() for found in _ENGLISH.finditer(text)]


async def test_every_setting_says_in_the_readers_language_what_it_is(reader: Reader) -> None:
    response, text = await get(reader.gateway, "/admin/settings", **reader.cookie)
    [table] = re.findall(r"<tbody>.*</tbody>", text, re.S)
    assert response.status == 200 and "lang=" not in table
    shown = prose(table)
    translated = i18n.catalogue(reader.code).gettext
    for setting in SETTINGS:
        assert translated(setting.help) in shown, setting.name
        assert (setting.help in shown) == (reader.code == i18n.SOURCE), setting.name
    assert bool(english(shown)) == (reader.code == i18n.SOURCE), english(shown)
