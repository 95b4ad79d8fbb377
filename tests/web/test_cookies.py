"""Three cookies and no other, as the page on cookies says: every page and every form is tried."""

from collections.abc import AsyncIterator
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import EMAIL, RunningGateway, running
from tests.fakes.sites import CLIENT
from tests.fakes.upstream import FakeUpstream
from tests.web.browser.places import STAFF, Shop, prepare
from tests.web.browser.sessions import OWN

DAY_S = 24 * 3600
LIVES_S = {"token": 7 * DAY_S, "locale": 365 * DAY_S, "theme": 365 * DAY_S}
SECURE = {"X-Forwarded-Proto": "https"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", **CLIENT) as one:
        one.gateway.platform.people.passwords.cost = 4
        await one.command("accounts.role", email=EMAIL, role="administrator")
        yield one


class Forms(HTMLParser):
    """The forms of a page that are sent by POST: where to, and what they hold as it stands."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._fields: dict[str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = {} if given.get("method", "") == "post" else None
            if self._fields is not None:
                self.found.append((given.get("action", ""), self._fields))
        elif tag in ("input", "button", "textarea") and self._fields is not None:
            self._fields.setdefault(given.get("name", ""), given.get("value", "") or "x@y.example")


class Crawler:
    """Asks, and checks every cookie that an answer sets. `seen`: the names, set or forgotten."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway
        self.seen: set[tuple[str, str]] = set()
        self.faults: list[str] = []

    async def ask(self, method: str, path: str, token: str = "", **more: Any) -> str:
        headers = {**OWN, **more.pop("headers", {})}
        if token:
            headers["Cookie"] = f"token={token}"
        async with self._gateway.session.request(
            method, self._gateway.url + path, headers=headers, allow_redirects=False, **more
        ) as response:
            for line in response.headers.getall("Set-Cookie", []):
                self._check(f"{method} {path}", line, secure=SECURE.items() <= headers.items())
            return await response.text() if response.content_type == "text/html" else ""

    def _check(self, where: str, line: str, *, secure: bool) -> None:
        [(name, morsel)] = SimpleCookie(line).items()
        if name not in LIVES_S:
            self.faults.append(f"{where}: {name}")
            return
        forgotten = morsel["max-age"] == "0"
        self.seen.add((name, "forgotten" if forgotten else "set"))
        right = morsel["path"] == "/" and not morsel["domain"]
        if forgotten:
            right = right and not morsel.value
        else:
            right = (
                right
                and morsel["max-age"] == str(LIVES_S[name])
                and morsel["httponly"] is True
                and morsel["samesite"].lower() == "lax"
                and (morsel["secure"] is True) == secure
            )
        if not right:
            self.faults.append(f"{where}: {line.replace(morsel.value, '…')}")


async def sent(crawler: Crawler, gateway: RunningGateway, shop: Shop) -> None:
    """Every page once, then every form on them once; a form of the staff with a session anew."""
    forms: dict[str, tuple[str, dict[str, str]]] = {}
    for who, path in shop.places():
        text = await crawler.ask("GET", path, shop.tokens[who])
        for action, fields in Forms(text).found:
            forms.setdefault(action or path, (who, fields))
    assert len(forms) > 50
    platform = gateway.gateway.platform
    me = platform.accounts.named(EMAIL)
    for action, (who, fields) in forms.items():
        token = await platform.people.sessions.open(me) if who == STAFF else shop.tokens[who]
        await crawler.ask("POST", action, token, data=fields)


@pytest.mark.timeout(120)
async def test_no_page_and_no_form_sets_another_cookie(gateway: RunningGateway) -> None:
    crawler = Crawler(gateway)
    async with FakeUpstream() as upstream:
        await sent(crawler, gateway, await prepare(gateway, upstream))
    assert crawler.faults == []
    assert ("token", "forgotten") in crawler.seen


@pytest.mark.parametrize("headers", [{}, SECURE])
async def test_what_is_promised_of_each_is_kept(
    gateway: RunningGateway, headers: dict[str, str]
) -> None:
    platform, crawler = gateway.gateway.platform, Crawler(gateway)
    for form in ({"locale": "fr"}, {"theme": "dark"}, {"theme": "system"}):
        await crawler.ask("POST", "/preferences", data=form, headers=headers)
    link = await platform.sign_in.create(platform.accounts.named(EMAIL))
    await crawler.ask("POST", f"/sign-in/{link}", headers=headers)
    await crawler.ask("POST", "/sign-in/with/google", headers=headers)
    await crawler.ask("POST", "/sign-out", headers=headers)
    assert crawler.faults == []
    assert crawler.seen == {
        *(("token", "set"), ("locale", "set"), ("theme", "set")),
        *(("token", "forgotten"), ("theme", "forgotten")),
    }


async def test_reading_sets_none(gateway: RunningGateway) -> None:
    """A visitor who only looks gets no cookie at all."""
    crawler = Crawler(gateway)
    for path in ("/", "/models", "/docs", "/status", "/sign-in", "/sign-up", "/legal/cookies"):
        await crawler.ask("GET", path)
    await crawler.ask("GET", "/none", headers={"Accept-Language": "fr"})
    assert crawler.seen == set() and crawler.faults == []
