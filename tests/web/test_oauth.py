"""Signing in with an account of another site, against servers that check what they are sent."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from gateway.web import oauth
from tests.fakes.gateway import RunningGateway, running
from tests.fakes.sites import ACCESS, CLIENT, FakeSites
from tests.web.test_console import get
from tests.web.test_entrance import FORM, PASSWORD, signed_up
from tests.web.test_security_settings import Browser

BOTH = ["google", "github"]
TERMS = {"terms": "yes", "age": "yes", "born": "1960"}


@pytest.fixture
async def gateway(tmp_path: Path, sites: FakeSites) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", **CLIENT) as one:
        one.gateway.platform.people.passwords.cost = 4
        yield one


async def leave(browser: Browser, name: str) -> str:
    """The address the browser is sent to."""
    status, text = await browser.post(f"/sign-in/with/{name}")
    assert status == 200
    [url] = set(re.findall(r'<a class="button" href="([^"]+)"', text))
    return html.unescape(url)


async def come_back(browser: Browser, sites: FakeSites, name: str) -> tuple[int, str]:
    query = sites.approve(await leave(browser, name))
    return await follow(browser, name, query)


async def follow(browser: Browser, name: str, query: str) -> tuple[int, str]:
    path = f"/sign-in/with/{name}/callback?{query}"
    response, text = await get(browser.gateway, path, **browser.cookie)
    if "token" in response.cookies:
        browser.token = response.cookies["token"].value
    return response.status, response.headers.get("Location", text)


async def test_sites_are_offered_only_when_configured(
    tmp_path: Path, gateway: RunningGateway
) -> None:
    _, text = await get(gateway, "/sign-in")
    assert "Sign in with Google" in text and "Sign in with GitHub" in text
    async with running(tmp_path / "other", oauth_github_id="only an id") as plain:
        _, text = await get(plain, "/sign-in")
        assert "Sign in with" not in text
        assert (await Browser(plain, "").post("/sign-in/with/github"))[0] == 404


@pytest.mark.parametrize(
    ("name", "scope"), [("google", "openid email profile"), ("github", "read:user user:email")]
)
async def test_what_is_asked_for(gateway: RunningGateway, name: str, scope: str) -> None:
    url = await leave(Browser(gateway, ""), name)
    asked = {key: value[0] for key, value in parse_qs(urlsplit(url).query).items()}
    assert asked["scope"] == scope and asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 43 and ("nonce" in asked) == (name == "google")
    assert asked["redirect_uri"] == f"{gateway.url}/sign-in/with/{name}/callback"
    assert "secret-1" not in url


@pytest.mark.parametrize("name", BOTH)
async def test_a_newcomer_accepts_the_terms_first(
    gateway: RunningGateway, sites: FakeSites, name: str
) -> None:
    browser = Browser(gateway, "")
    assert await come_back(browser, sites, name) == (303, "/sign-in/welcome")
    accounts = gateway.gateway.platform.accounts
    assert (await browser.get("/console"))[0] == 303
    status, text = await browser.get("/sign-in/welcome")
    assert status == 200 and "ann@example.com" in text
    assert (await browser.post("/sign-in/welcome", terms="yes"))[0] == 422
    assert accounts.find("ann@example.com") is None
    assert await browser.post("/sign-in/welcome", **TERMS) == (303, "/console")
    account = accounts.named("ann@example.com")
    again = Browser(gateway, "")
    sites.claims = {"email": "renamed@example.com"}  # the same person, another address
    sites.emails[0]["email"] = "renamed@example.com"
    assert await come_back(again, sites, name) == (303, "/console")
    found = await gateway.gateway.platform.people.sessions.account(again.token)
    assert found is account


@pytest.mark.parametrize("name", BOTH)
async def test_a_verified_address_opens_its_account(
    gateway: RunningGateway, sites: FakeSites, name: str
) -> None:
    await signed_up(gateway)
    browser = Browser(gateway, "")
    assert await come_back(browser, sites, name) == (303, "/console")
    _, text = await browser.get("/console")
    assert "ann@example.com" in text


@pytest.mark.parametrize("name", BOTH)
async def test_an_account_elsewhere_is_unlinked_once_that_is_sure(
    gateway: RunningGateway, sites: FakeSites, name: str
) -> None:
    await signed_up(gateway)
    browser = Browser(gateway, "")
    assert await come_back(browser, sites, name) == (303, "/console")
    platform = gateway.gateway.platform
    account = platform.accounts.named("ann@example.com")
    path = f"/settings/identities/{name}/remove"
    _, text = await browser.get("/settings/security")
    assert f'href="{path}"' in text and "Accounts of other sites" in text

    async def linked() -> bool:
        return await platform.people.identities.providers(account) == [name]

    status, text = await browser.get(path)
    assert status == 200 and oauth.title_of(name) in text and await linked()
    assert (await browser.post(path, password=PASSWORD))[0] == 200 and await linked()  # it asks
    status, text = await browser.post(path, confirm="yes", password="wrong")
    assert status == 422 and 'class="problem"' in text and await linked()
    done = await browser.post(path, confirm="yes", password=PASSWORD)
    assert done == (303, "/settings/security") and not await linked()
    assert (await browser.get(path))[0] == 404
    assert "Accounts of other sites" not in (await browser.get("/settings/security"))[1]
    others = {"google", "github"} - {name}
    assert (await browser.post(f"/settings/identities/{others.pop()}/remove"))[0] == 404


async def test_whoever_has_no_password_is_not_locked_out(
    gateway: RunningGateway, sites: FakeSites
) -> None:
    browser = Browser(gateway, "")
    assert await come_back(browser, sites, "github") == (303, "/sign-in/welcome")
    assert await browser.post("/sign-in/welcome", **TERMS) == (303, "/console")
    path = "/settings/identities/github/remove"
    _, text = await browser.get("/settings/security")
    assert "GitHub" in text and path not in text and "Set a password above" in text
    for method in (browser.get, browser.post):
        status, text = await method(path)
        assert status == 403 and "Set a password first" in text
    assert (await browser.post(path, confirm="yes"))[0] == 403
    platform = gateway.gateway.platform
    account = platform.accounts.named("ann@example.com")
    assert await platform.people.identities.providers(account) == ["github"]


@pytest.mark.parametrize("name", BOTH)
async def test_an_address_that_is_not_verified_opens_nothing(
    gateway: RunningGateway, sites: FakeSites, name: str
) -> None:
    await signed_up(gateway)
    for verified in (False, None, "true"):
        sites.claims = {"email_verified": verified}
        sites.emails[0]["verified"] = verified
        browser = Browser(gateway, "")
        status, text = await come_back(browser, sites, name)
        assert status == 403 and "has not verified" in text
        assert (await browser.get("/console"))[0] == 303


async def test_a_second_factor_is_owed_all_the_same(
    gateway: RunningGateway, sites: FakeSites
) -> None:
    from tests.fakes.authenticator import Authenticator

    one = Browser(gateway, await signed_up(gateway))
    _, text = await one.get("/settings/security")
    [options] = re.findall(r'data-options="([^"]+)"', text)
    answer = Authenticator(gateway.url).create(html.unescape(options))
    await one.post("/settings/passkeys", answer=answer, name="k", password=PASSWORD)
    browser = Browser(gateway, "")
    assert await come_back(browser, sites, "google") == (303, "/sign-in/code")
    assert (await browser.get("/console"))[0] == 303


@pytest.mark.parametrize("name", BOTH)
async def test_an_answer_is_taken_only_where_it_was_asked_and_once(
    gateway: RunningGateway, sites: FakeSites, name: str
) -> None:
    await signed_up(gateway)
    victim, thief = Browser(gateway, ""), Browser(gateway, "")
    query = sites.approve(await leave(thief, name))
    assert await follow(victim, name, query) == (303, "/sign-in")  # no question was asked here
    await leave(victim, name)
    status, _ = await follow(victim, name, query)  # another state than this browser's
    assert status == 403 and (await victim.get("/console"))[0] == 303
    for wrong in ("", "state=x", f"{query}x", "error=access_denied&state=x", "code=&state="):
        browser = Browser(gateway, "")
        await leave(browser, name)
        assert (await follow(browser, name, wrong))[0] == 403
    assert await follow(thief, name, query) == (303, "/console")
    assert await follow(thief, name, query) == (303, "/sign-in")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"exp": 1_600_000_000},
        {"nonce": "another"},
        {"nonce": None},
        {"iss": None},
        {"exp": None},
        {"sub": None},
    ],
)
async def test_an_id_token_that_does_not_verify_opens_nothing(
    gateway: RunningGateway, sites: FakeSites, claims: dict[str, object]
) -> None:
    await signed_up(gateway)
    sites.claims = claims
    browser = Browser(gateway, "")
    status, _ = await come_back(browser, sites, "google")
    assert status == 403 and (await browser.get("/console"))[0] == 303


async def test_foreign_signatures_and_failures_open_nothing(
    gateway: RunningGateway, sites: FakeSites
) -> None:
    await signed_up(gateway)
    sites.sign_with = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256"})
    assert (await come_back(Browser(gateway, ""), sites, "google"))[0] == 403
    sites.sign_with = None
    for fail in ("token", "garbage"):
        sites.fail = fail
        for name in BOTH:
            status, text = await come_back(Browser(gateway, ""), sites, name)
            assert status == 403 and "could not be asked" in text
    sites.fail = ""
    sites.emails = []
    assert (await come_back(Browser(gateway, ""), sites, "github"))[0] == 403


async def test_somebody_signed_in_links_an_account_of_another_address(
    gateway: RunningGateway, sites: FakeSites
) -> None:
    sites.claims = {"email": "private@example.org"}
    one = Browser(gateway, await signed_up(gateway))
    assert await come_back(one, sites, "google") == (303, "/console")
    other = Browser(gateway, "")
    assert await come_back(other, sites, "google") == (303, "/console")
    _, text = await other.get("/console")
    assert FORM["email"] in text


async def test_tokens_and_addresses_are_not_kept(gateway: RunningGateway, sites: FakeSites) -> None:
    browser = Browser(gateway, "")
    await come_back(browser, sites, "github")
    await browser.post("/sign-in/welcome", **TERMS)
    assert sites.asked == [("/user", f"Bearer {ACCESS}")]
    for path in gateway.data_dir.iterdir():
        if path.is_file():
            content = path.read_bytes()
            assert ACCESS.encode() not in content and b"ann@example.com" not in content
