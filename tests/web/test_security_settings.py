"""Security settings and second factors as a browser meets them."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.platform.accounts import totp
from tests.fakes.authenticator import Authenticator
from tests.fakes.gateway import RunningGateway, running
from tests.web.test_console import OWN, Page, get, post
from tests.web.test_entrance import FORM, PASSWORD, letter, signed_up

PAGE = "/settings/security"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        one.gateway.platform.people.passwords.cost = 4
        yield one


class Browser:
    """Holds the one cookie."""

    def __init__(self, gateway: RunningGateway, token: str) -> None:
        self.gateway = gateway
        self.token = token

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"token={self.token}", "User-Agent": "Mozilla/5.0 Firefox/140.0"}

    async def get(self, path: str) -> tuple[int, str]:
        response, text = await get(self.gateway, path, **self.cookie)
        return response.status, text

    async def post(self, path: str, **fields: str) -> tuple[int, str]:
        response, text = await post(self.gateway, path, fields or None, **self.cookie, **OWN)
        if "token" in response.cookies:
            self.token = response.cookies["token"].value
        return response.status, response.headers.get("Location", text)


async def browser(gateway: RunningGateway) -> Browser:
    return Browser(gateway, await signed_up(gateway))


async def test_the_page_is_safe_and_lists_this_session(gateway: RunningGateway) -> None:
    one = await browser(gateway)
    response, text = await get(gateway, PAGE, **one.cookie)
    page = Page(text)
    assert response.status == 200 and page.inline == [] and "this one" in text
    assert page.nonces == set(
        re.findall(r"'nonce-([\w-]+)'", response.headers["Content-Security-Policy"])
    )


async def test_a_password_is_changed_with_the_present_one(gateway: RunningGateway) -> None:
    one = await browser(gateway)
    other = Browser(gateway, "")
    assert (await other.post("/sign-in", **FORM))[0] == 303
    status, text = await one.post(
        "/settings/password", password="wrong", new_password="battery staple"
    )
    assert status == 422 and "password is wrong" in text
    status, where = await one.post(
        "/settings/password", password=PASSWORD, new_password="battery staple"
    )
    assert (status, where) == (303, PAGE)
    assert (await one.get(PAGE))[0] == 200 and (await other.get(PAGE))[0] == 303


async def test_sessions_are_revoked_one_or_all(gateway: RunningGateway) -> None:
    one, other = await browser(gateway), Browser(gateway, "")
    await other.post("/sign-in", **FORM)
    _, text = await one.get(PAGE)
    [id] = re.findall(r"/settings/sessions/(ses_\w+)/revoke", text)
    stranger = Browser(gateway, await signed_up_as(gateway, "bob@example.com"))
    end = f"/settings/sessions/{id}/revoke"
    assert (await stranger.post(end, confirm="yes"))[0] == 404
    assert (await stranger.get(end))[0] == 404
    status, text = await one.get(end)
    assert status == 200 and "Firefox" in text and (await other.get(PAGE))[0] == 200
    assert (await one.post(end, confirm="yes"))[0] == 303
    assert (await other.get(PAGE))[0] == 303
    await other.post("/sign-in", **FORM)
    assert (await one.get("/settings/sessions/revoke"))[0] == 200
    assert (await one.get(PAGE))[0] == 200
    assert await one.post("/settings/sessions/revoke", confirm="yes") == (303, "/sign-in")
    assert (await one.get(PAGE))[0] == 303 and (await other.get(PAGE))[0] == 303


async def signed_up_as(gateway: RunningGateway, email: str) -> str:
    people = gateway.gateway.platform.people
    account = await people.accounts.create(email)
    return await people.sessions.open(account)


async def test_an_authenticator_app_from_first_to_last(gateway: RunningGateway) -> None:
    one = await browser(gateway)
    assert (await one.post("/settings/totp", password="wrong"))[0] == 422
    status, text = await one.post("/settings/totp", password=PASSWORD)
    [secret] = re.findall(r"<code>([A-Z2-7]{32})</code>", text)
    assert status == 200 and "otpauth://totp/" in text
    clock = gateway.gateway.platform.clock
    status, text = await one.post("/settings/totp/confirm", code="000000")
    assert status == 422 and secret in text
    step = clock.now_us() // 30_000_000
    status, text = await one.post("/settings/totp/confirm", code=totp.code_at(secret, step))
    codes = re.findall(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", text)
    assert status == 200 and len(codes) == 10
    status, where = await one.post("/sign-in", **FORM)
    assert (status, where) == (303, "/sign-in/code")
    assert (await one.get("/console"))[0] == 303 and (await one.get(PAGE))[0] == 303
    assert (await one.get("/sign-in/code"))[0] == 200
    status, text = await one.post("/sign-in/code", code="nonsense")
    assert status == 403 and "code is wrong" in text
    assert await one.post("/sign-in/code", code=codes[3]) == (303, "/console")
    _, text = await one.get(PAGE)
    assert "9 recovery codes" in text
    [id] = re.findall(r"/settings/factors/(fac_\w+)/remove", text)
    remove = f"/settings/factors/{id}/remove"
    status, text = await one.get(remove)
    assert status == 200 and "Authenticator app" in text and 'type="password"' in text
    assert (await one.post(remove, confirm="yes"))[0] == 422
    status, text = await one.post(remove, confirm="yes", password="wrong")
    assert status == 422 and 'id="password-note"' in text and "password is wrong" in text
    status, text = await one.post("/settings/recovery-codes", confirm="yes", password=PASSWORD)
    assert status == 200 and codes[4] not in text
    assert (await one.post(remove, confirm="yes", password=PASSWORD))[0] == 303
    assert await one.post("/sign-in", **FORM) == (303, "/console")


async def test_a_passkey_from_first_to_last(gateway: RunningGateway) -> None:
    one = await browser(gateway)
    key = Authenticator(gateway.url)

    def options(text: str) -> str:
        [found] = re.findall(r'data-options="([^"]+)"', text)
        return html.unescape(found)

    _, text = await one.get(PAGE)
    answer = key.create(options(text))
    fields = {"answer": answer, "name": "phone <b>", "password": PASSWORD}
    assert (await one.post("/settings/passkeys", **fields | {"password": "wrong"}))[0] == 422
    status, text = await one.post("/settings/passkeys", **fields)
    assert status == 200 and "Recovery codes" in text
    _, text = await one.get(PAGE)
    assert "phone &lt;b&gt;" in text
    assert await one.post("/sign-in", **FORM) == (303, "/sign-in/code")
    _, text = await one.get("/sign-in/code")
    assert (await one.post("/sign-in/passkey", answer="{}"))[0] == 403
    answer = key.get(options(text))
    assert await one.post("/sign-in/passkey", answer=answer) == (303, "/console")


async def test_a_link_made_by_an_operator_asks_for_no_second_factor(
    gateway: RunningGateway,
) -> None:
    one = await browser(gateway)
    key = Authenticator(gateway.url)
    _, text = await one.get(PAGE)
    [options] = re.findall(r'data-options="([^"]+)"', text)
    await one.post(
        "/settings/passkeys", answer=key.create(html.unescape(options)), name="k", password=PASSWORD
    )
    token = (await gateway.command("accounts.link", email=FORM["email"]))["token"]
    assert await Browser(gateway, "").post(f"/sign-in/{token}") == (303, "/console")


async def test_a_profile_is_filled_in_and_shown_as_text(gateway: RunningGateway) -> None:
    one = await browser(gateway)
    fields = {"display_name": '"><script>alert(1)</script>', "bio": "a\nb", "notify_balance": "yes"}
    assert await one.post("/settings/profile", **fields) == (303, "/settings/profile?saved=1")
    status, text = await one.get("/settings/profile")
    assert status == 200 and "<script>alert" not in text and "&lt;script&gt;" in text
    assert 'name="notify_balance" type="checkbox" value="yes" checked' in text
    assert "notify_news" not in text
    status, text = await one.post("/settings/profile", time_zone="Moon/Base")
    assert status == 422 and "Moon/Base" in text and 'aria-invalid="true"' in text


async def test_an_address_is_changed_by_a_letter(gateway: RunningGateway) -> None:
    one = await browser(gateway)
    wanted = {"email": "new@example.com"}
    assert (await one.post("/settings/address", password="wrong", **wanted))[0] == 422
    assert (await one.post("/settings/address", password=PASSWORD, **wanted))[0] == 200
    token = (await letter(gateway, "address")).token
    assert (await one.get(f"/settings/address/{token}"))[0] == 200
    assert (await one.post(f"/settings/address/{token}"))[0] == 303
    assert (await one.post(f"/settings/address/{token}"))[0] == 403
    _, text = await one.get("/console")
    assert "new@example.com" in text
