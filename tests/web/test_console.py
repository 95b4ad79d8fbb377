"""The console as a browser meets it: pages, signing in and out, and what it must not give away."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.gateway import EMAIL, RunningGateway, running

OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


async def get(gateway: RunningGateway, path: str, **headers: str) -> tuple[Any, str]:
    async with gateway.session.get(
        gateway.url + path, headers=headers, allow_redirects=False
    ) as response:
        return response, await response.text()


async def post(
    gateway: RunningGateway, path: str, data: Any = None, **headers: str
) -> tuple[Any, str]:
    async with gateway.session.post(
        gateway.url + path, data=data, headers=headers or OWN, allow_redirects=False
    ) as response:
        return response, await response.text()


async def new_link(gateway: RunningGateway) -> str:
    platform = gateway.gateway.platform
    return await platform.sign_in.create(platform.accounts.named(EMAIL))


async def sign_in(gateway: RunningGateway) -> str:
    response, _ = await post(gateway, f"/sign-in/{await new_link(gateway)}")
    assert response.status == 303 and response.headers["Location"] == "/console"
    return str(response.cookies["token"].value)


class Page(HTMLParser):
    """What a browser would fetch, run and follow."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.forms: list[str] = []
        self.inline: list[str] = []
        self.nonces: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag in ("script", "style") or given.get("rel") == "stylesheet":
            self.nonces.add(given.get("nonce", ""))
        if tag == "link" or "src" in given:
            self.fetched.append(given.get("href") or given.get("src") or "")
        if tag == "a":
            self.links.append(given["href"])
        if tag == "form":
            assert given["method"] in ("post", "get", "dialog")
            self.forms.append(given.get("action", ""))


async def test_the_start_page_says_what_is_offered(gateway: RunningGateway) -> None:
    response, text = await get(gateway, "/")
    assert response.status == 200
    assert f"{gateway.url}/v1" in text
    assert "sandbox/lorem" in text and "$0.10" in text and "$0.40" in text
    assert 'href="/sign-in"' in text and "Sign out" not in text


async def test_every_page_is_safe_and_whole(gateway: RunningGateway) -> None:
    """Nothing inline, nothing foreign, no dead link, and a new nonce each time."""
    token = await sign_in(gateway)
    nonces = set()
    for path in ("/", "/sign-in", "/sign-in/abc", "/console", "/nowhere"):
        cookie = {"Cookie": f"token={token}"} if path == "/console" else {}
        response, text = await get(gateway, path, **cookie)
        page = Page(text)
        policy = response.headers["Content-Security-Policy"]
        [nonce] = set(re.findall(r"'nonce-([\w-]+)'", policy))
        assert page.nonces == {nonce} and nonce not in nonces
        nonces.add(nonce)
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and page.inline == []
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        assert "aiohttp" not in response.headers["Server"]
        assert all(address.startswith("/static/") for address in page.fetched)
        for address in {*page.fetched, *page.links} - {"#main"}:
            found, _ = await get(gateway, address, **cookie)
            assert found.status in (200, 303), address


async def test_static_files_are_kept_by_their_content(gateway: RunningGateway) -> None:
    _, text = await get(gateway, "/")
    for address in Page(text).fetched:
        response, _ = await get(gateway, address)
        assert "immutable" in response.headers["Cache-Control"]
    for address in ("/static/0/console.css", "/static/x/../pages.py", "/static/a/pages.py"):
        response, _ = await get(gateway, address)
        assert response.status == 404


async def test_a_link_is_used_up_by_its_button_only(gateway: RunningGateway) -> None:
    link = await new_link(gateway)
    for _ in range(3):
        response, text = await get(gateway, f"/sign-in/{link}")
        assert response.status == 200 and not response.cookies and "<button" in text
    response, _ = await post(gateway, f"/sign-in/{link}")
    cookie = response.cookies["token"]
    assert response.status == 303 and cookie["httponly"] and cookie["samesite"] == "Lax"
    assert cookie["path"] == "/" and cookie["max-age"] == "604800" and not cookie["secure"]
    again, text = await post(gateway, f"/sign-in/{link}")
    assert again.status == 403 and not again.cookies
    assert "already used" in text and link not in text


async def test_a_pasted_link_signs_in_too(gateway: RunningGateway) -> None:
    for form in ("{}", "  {} ", "https://h.example/sign-in/{}", "http://h/sign-in/{}?x=1"):
        link = await new_link(gateway)
        response, _ = await post(gateway, "/sign-in/link", {"link": form.format(link)})
        assert response.status == 303 and response.cookies["token"].value
    for wrong in ("", "https://h/sign-in/", "nonsense", "[", "https://[/", "\x00"):
        response, text = await post(gateway, "/sign-in/link", {"link": wrong})
        assert response.status == 403 and not response.cookies and 'role="alert"' in text


async def test_a_cookie_is_secure_behind_tls(gateway: RunningGateway) -> None:
    response, _ = await post(
        gateway, f"/sign-in/{await new_link(gateway)}", **OWN, **{"X-Forwarded-Proto": "https"}
    )
    assert response.cookies["token"]["secure"]
    assert "Strict-Transport-Security" in response.headers


async def test_the_overview_shows_the_accounts_own(gateway: RunningGateway) -> None:
    cookie = {"Cookie": f"token={await sign_in(gateway)}"}
    response, text = await get(gateway, "/console", **cookie)
    assert response.status == 200 and EMAIL in text and "Three steps" in text
    assert "$10.00" in text and gateway.key not in text
    _, text = await get(gateway, "/console/keys", **cookie)
    assert gateway.key not in text and gateway.key[:12] in text
    for model in ("sandbox/lorem:tokens=1234,tps=0", "sandbox/echo", "sandbox/lorem:error=500"):
        payload = {"model": model, "messages": [{"role": "user", "content": "<canary>"}]}
        await gateway.post(payload)
    await gateway.settled()
    _, text = await get(gateway, "/console", **cookie)
    assert "upstream_failed" in text and "502" in text and "$9.99" in text
    assert "admin@localhost" not in text and "canary" not in text
    _, text = await get(gateway, "/console/logs", **cookie)
    assert "1,234" in text and "upstream_failed" in text and "canary" not in text
    assert "admin@localhost" not in text and "first key" not in text


async def test_a_hostile_name_stays_text(gateway: RunningGateway) -> None:
    platform = gateway.gateway.platform
    await platform.keys.issue(platform.accounts.named(EMAIL), "<script>alert(1)</script>&\"'")
    _, text = await get(gateway, "/console", Cookie=f"token={await sign_in(gateway)}")
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)&lt;/script&gt;" in text


async def test_signing_out_ends_the_session(gateway: RunningGateway) -> None:
    token = await sign_in(gateway)
    cookie = {"Cookie": f"token={token}"}
    assert (await get(gateway, "/sign-out", **cookie))[0].status == 405
    response, _ = await post(gateway, "/sign-out", **cookie, **OWN)
    assert response.status == 303 and response.cookies["token"]["max-age"] == "0"
    response, _ = await get(gateway, "/console", **cookie)
    assert response.status == 303 and response.headers["Location"] == "/sign-in"


@pytest.mark.parametrize("cookie", ["", "token=", "token=x", "token=" + "x" * 4000, "other=1"])
async def test_a_stranger_sees_no_overview(gateway: RunningGateway, cookie: str) -> None:
    response, text = await get(gateway, "/console", Cookie=cookie)
    assert response.status == 303 and EMAIL not in text


async def test_a_foreign_form_is_refused(gateway: RunningGateway) -> None:
    token = await sign_in(gateway)
    own = gateway.url
    refused: list[dict[str, str]] = [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": own},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": own.replace("127.0.0.1", "localhost")},
        {"Origin": own.rpartition(":")[0]},
        {"Origin": own + ".evil.example"},
        {"Origin": "http://[" + own},
    ]
    for headers in refused:
        response, _ = await post(gateway, "/sign-out", Cookie=f"token={token}", **headers)
        assert response.status == 403, headers
        assert "Content-Security-Policy" in response.headers
    assert (await get(gateway, "/console", Cookie=f"token={token}"))[0].status == 200
    response, _ = await post(gateway, "/sign-out", Cookie=f"token={token}", Origin=own)
    assert response.status == 303


async def test_wrong_requests_get_a_page_and_never_a_fault(gateway: RunningGateway) -> None:
    cases: list[tuple[str, str, dict[str, str], Any, int]] = [
        ("GET", "/nowhere", {}, None, 404),
        ("GET", "/%00", {}, None, 404),
        ("DELETE", "/", OWN, None, 405),
        ("POST", "/sign-in", OWN, b"x" * 20_000, 413),
        ("GET", "/", {"Host": "user@h"}, None, 400),
        ("GET", "/", {"Host": "a, b"}, None, 400),
        ("POST", "/sign-in", {**OWN, "Content-Type": "multipart/form-data"}, b"x", 403),
        ("POST", "/sign-in", OWN, b"link=%ff%00&link=[&=&&&", 403),
        ("POST", "/sign-in", OWN, b"&".join([b"a=1"] * 1000), 403),
    ]
    for method, path, headers, body, status in cases:
        async with gateway.session.request(
            method, gateway.url + path, headers=headers, data=body
        ) as response:
            assert response.status == status, (method, path, headers)
            assert response.content_type == "text/html"
            assert "nonce-" in response.headers["Content-Security-Policy"]


async def test_only_listed_hosts_are_answered(tmp_path: Path) -> None:
    async with (
        running(tmp_path / "data", server_allowed_hosts="gateway.example") as one,
        aiohttp.ClientSession() as session,
    ):
        for host, status in (("gateway.example", 200), ("Gateway.Example:8080", 200), ("h", 400)):
            async with session.get(one.url + "/", headers={"Host": host}) as response:
                assert response.status == status, host
