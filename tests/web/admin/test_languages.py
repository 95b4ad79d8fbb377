"""Administration in each language: neither settings nor what forms are refused for stay English."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from gateway.base.config import SETTINGS
from gateway.platform.accounts.guesses import Visit
from gateway.proxy.probe import Probed
from gateway.web.console import i18n
from gateway.web.console.meanings import MEANINGS
from tests.fakes.gateway import EMAIL, RunningGateway, running
from tests.fakes.upstream import FakeUpstream
from tests.web.admin.test_pages import staff
from tests.web.test_console import get, post
from tests.web.test_security_settings import OWN, Browser

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
    """The English words of a text, but for those within quotes."""
    return [found.group() for found in _ENGLISH.finditer(re.sub(r"'[^']*'|\"[^\"]*\"", "", text))]


async def test_every_setting_says_in_the_readers_language_what_it_is(reader: Reader) -> None:
    response, text = await get(reader.gateway, "/admin/settings", **reader.cookie)
    [table] = re.findall(r"<tbody>.*</tbody>", text, re.S)
    assert response.status == 200 and "lang=" not in table
    shown = prose(table)
    translated = i18n.catalogue(reader.code).gettext
    for setting in SETTINGS:
        assert prose(translated(setting.help)) in shown, setting.name
        assert (setting.help in shown) == (reader.code == i18n.SOURCE), setting.name
    assert bool(english(shown)) == (reader.code == i18n.SOURCE), english(shown)


PROVIDER = {"name": "one", "kind": "openai", "base_url": "https://a.example/v1"}
PRESENT = {"base_url": "https://a.example", "disconnect": "abort", "api_key": "sk-new"}
MODEL = {"name": "one", "provider": "up", "context_tokens": "8000", "max_output_tokens": "1000"}
ENTRY = """[[models]]
name = "m"
context_tokens = 8000
max_output_tokens = 1000
[[models.targets]]
provider = "up"
model = "m"
"""
REFUSED = [
    ("providers", PROVIDER | {"name": "no name"}),
    ("providers", PROVIDER | {"name": "up"}),
    ("providers", PROVIDER | {"kind": "opnai"}),
    ("providers", PROVIDER | {"kind": "bedrock"}),
    ("providers", PROVIDER | {"region": "eu-west-1"}),
    ("providers", PROVIDER | {"base_url": ""}),
    ("providers", PROVIDER | {"base_url": "ftp://a.example"}),
    ("providers", PROVIDER | {"base_url": "https://"}),
    ("providers", PROVIDER | {"base_url": "https://u:p@a.example"}),
    ("providers", PROVIDER | {"base_url": "https://a.example?x=1"}),
    ("providers", PROVIDER | {"api_key": "two words"}),
    ("providers", PROVIDER | {"api_key": "env:"}),
    ("providers", PROVIDER | {"api_key": "stored"}),
    ("providers", {"preset": "grok-or-so"}),
    ("providers", {"preset": "groq", "base_url": "nowhere"}),
    ("providers/up", PRESENT | {"disconnect": "never"}),
    ("providers/up", PRESENT | {"health_interval_s": "0"}),
    ("providers/up", PRESENT | {"health_interval_s": "x"}),
    ("providers/up", PRESENT | {"api_key": ""}),
    ("models", MODEL | {"name": "no name"}),
    ("models", MODEL | {"name": "m"}),
    ("models", MODEL | {"provider": "upp"}),
    ("models", MODEL | {"context_tokens": "0"}),
    ("models", MODEL | {"context_tokens": "many"}),
    ("models", MODEL | {"input": "1"}),
    ("models", MODEL | {"input": "-1", "output": "1"}),
    ("models", MODEL | {"input": "1", "output": "100001"}),
    ("models", MODEL | {"input": "1", "output": "1", "request": "1001"}),
    ("models/m", {"entry": "x"}),
    ("models/m", {"entry": "[[models]]\nname = m"}),
    ("models/m", {"entry": ENTRY + "wieght = 1"}),
    ("models/m", {"entry": ENTRY + "weight = -1"}),
    ("models/m", {"entry": ENTRY.replace("[[models.targets]]", "[other]")}),
    ("models/m", {"entry": ENTRY.replace("[[models.t", 'aliases = ["x", "x"]\n[[models.t')}),
    ("models/m", {"entry": ENTRY.replace("[[models.t", 'fallbacks = ["x"]\n[[models.t')}),
    ("models/m", {"entry": ENTRY.replace("[[models.t", 'encoding = "o200"\n[[models.t')}),
    ("models/m", {"entry": ENTRY.replace("[[models.t", 'encoding = "kimi"\n[[models.t')}),
    ("models/m/price", {"input": "1"}),
    ("models/m/price", {"input": "1", "output": "cheap"}),
    ("models/m/price", {"input": "1", "output": "-1"}),
    ("models/m/price", {"input": "1", "output": "99999999"}),
    ("models/m/price", {"input": "1", "output": "999999999999"}),
    ("models/m/price", {"input": "2", "output": "9", "begins": "soon"}),
]


async def test_every_refused_form_says_why_in_the_readers_language(reader: Reader) -> None:
    for path, form in REFUSED:
        response, text = await post(reader.gateway, f"/admin/{path}", form, **reader.cookie, **OWN)
        assert response.status == 422, (path, form)
        [(attributes, why)] = re.findall(r'<p class="problem"([^>]*)>(.*?)</p>', text, re.S)
        assert "lang" not in attributes, (path, form, why)
        words = english(prose(why))
        assert not words or reader.code == i18n.SOURCE, (path, form, why)


async def test_what_the_catalog_warns_of_is_said_in_the_readers_language(reader: Reader) -> None:
    catalog = """
[[providers]]
name = "bare"
base_url = "https://a.example/v1"
api_key = "env:NOBODY_SET_THIS"
[[providers]]
name = "few"
base_url = "https://b.example/v1"
api_keys = ["sk-one", "env:NOBODY_SET_THIS"]
[[models]]
name = "free"
context_tokens = 8000
max_output_tokens = 1000
[[models.targets]]
provider = "few"
model = "free"
"""
    await reader.gateway.command("catalog.apply", toml=catalog)
    assert len(reader.gateway.gateway.platform.catalog.snapshot.warnings) == 3
    for path in ("/admin", "/admin/providers"):
        _, text = await get(reader.gateway, path, **reader.cookie)
        [main] = re.findall(r"<main.*</main>", text, re.S)
        assert main.count("NOBODY_SET_THIS") == 2 and ' lang="' not in main
        warned = re.findall(r"<(?:p|li)\b.*?</(?:p|li)>", main, re.S)
        about = [prose(each) for each in warned if "NOBODY" in each or "free" in each]
        assert len(about) == 3, about
        assert reader.code == i18n.SOURCE or not any(map(english, about)), about


def main_of(text: str) -> str:
    [main] = re.findall(r"<main.*</main>", text, re.S)
    return str(main)


async def test_what_checks_find_is_said_in_the_readers_language(reader: Reader) -> None:
    platform = reader.gateway.gateway.platform
    spoil = "UPDATE wallets SET balance_microusd = 1"
    await platform.database.write(lambda c: c.exec_driver_sql(spoil))
    await post(reader.gateway, "/admin/ledger/verify", {}, **reader.cookie, **OWN)
    form = {"head": f"3:{'ab' * 32}"}
    pages = [
        await get(reader.gateway, path, **reader.cookie) for path in ("/admin/ledger", "/admin")
    ]
    await post(reader.gateway, "/admin/audit/verify", form, **reader.cookie, **OWN)
    pages.append(await get(reader.gateway, "/admin/audit", **reader.cookie))
    for _, text in pages:
        listed = re.findall(r'<ul class="list">(.*?)</ul>', main_of(text), re.S)
        found = next(each for each in listed if "<li>" in each and "<a " not in each)
        assert "lang=" not in found, found
        assert reader.code == i18n.SOURCE or not english(prose(found)), found


async def test_why_a_letter_did_not_go_is_said_in_the_readers_language(reader: Reader) -> None:
    people = reader.gateway.gateway.platform.people
    await people.entrance.ask_reset("administrator@example.org", Visit("203.0.113.1", "curl"), "en")
    [shown] = await people.mail.undelivered()
    errors = ("unwritable", "recipient", "authentication", "answer 550", "TimeoutError")
    letters = [shown._replace(state="failed", error=error) for error in errors]
    people.mail.undelivered = AsyncMock(return_value=letters)  # type: ignore[method-assign]
    _, text = await get(reader.gateway, "/admin/letters", **reader.cookie)
    told = [prose(each) for each in re.findall(r"<small>(.*?)</small>", main_of(text), re.S)]
    assert len(told) == len(set(told)) == len(errors) and all(told)
    assert reader.code == i18n.SOURCE or not any(map(english, told)), told


async def test_why_a_test_of_a_provider_failed_is_said_in_the_readers_language(
    reader: Reader,
) -> None:
    probed = Probed("up:m", 401, 12, "upstream_credentials_exhausted")
    ask = AsyncMock(return_value=probed)
    reader.gateway.gateway.platform.live["providers.test"] = lambda: ask
    path = "/admin/providers/up/test"
    response, text = await post(reader.gateway, path, {}, **reader.cookie, **OWN)
    [told] = re.findall(r'<p class="problem" role="alert">(.*?)</p>', text, re.S)
    meaning = prose(i18n.catalogue(reader.code).gettext(MEANINGS[probed.code]))
    assert response.status == 200 and meaning in prose(told)
    assert reader.code == i18n.SOURCE or not english(prose(told).replace(probed.code, "")), told


async def test_what_no_form_asks_for_is_refused_in_the_readers_language(reader: Reader) -> None:
    accounts = reader.gateway.gateway.platform.accounts
    other, own = accounts.named(EMAIL).id, accounts.named("administrator@example.org").id
    for path, status in (
        (f"users/{other}/role", 422),
        (f"users/{own}/suspend", 403),
        ("adjustments/none", 422),
        ("adjustments/none?choice=approve", 422),
    ):
        path, _, query = path.partition("?")
        form = dict([query.split("=")]) if query else {"role": "king"}
        response, text = await post(reader.gateway, f"/admin/{path}", form, **reader.cookie, **OWN)
        assert response.status == status and "lang=" not in main_of(text), path
        shown = re.sub(r"<table.*?</table>", " ", main_of(text), flags=re.S)
        assert reader.code == i18n.SOURCE or not english(prose(shown)), (path, prose(shown))
