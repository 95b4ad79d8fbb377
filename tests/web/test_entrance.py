"""Signing up and in as a browser does it, and what answers give away."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import RunningGateway, running
from tests.web.test_console import get, post

PASSWORD = "correct horse"
AGE = {"age": "yes", "born": "1960"}
FORM = {"email": "ann@example.com", "password": PASSWORD, "terms": "yes", **AGE}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        one.gateway.platform.people.passwords.cost = 4
        yield one


async def letter(gateway: RunningGateway, kind: str) -> Any:
    """The newest letter of a kind, once it has been shown."""
    async with asyncio.timeout(10):
        while True:
            for shown in await gateway.gateway.platform.people.mail.undelivered():
                if shown.letter.kind == kind and shown.state == "shown":
                    return shown.letter
            await asyncio.sleep(0.02)


async def signed_up(gateway: RunningGateway) -> str:
    """The token of somebody who has signed up and confirmed."""
    response, _ = await post(gateway, "/sign-up", FORM)
    assert response.status == 200 and not response.cookies
    token = (await letter(gateway, "confirm")).token
    response, _ = await post(gateway, f"/confirm/{token}", {"password": PASSWORD})
    assert response.status == 303 and response.headers["Location"] == "/console"
    return str(response.cookies["token"].value)


async def test_from_sign_up_to_the_console(gateway: RunningGateway) -> None:
    token = await signed_up(gateway)
    response, text = await get(gateway, "/console", Cookie=f"token={token}")
    assert response.status == 200 and "ann@example.com" in text
    for path in ("/sign-up", "/sign-in"):
        assert (await get(gateway, path, Cookie=f"token={token}"))[0].status == 303
    response, _ = await post(gateway, "/sign-in", FORM)
    cookie = response.cookies["token"]
    assert response.status == 303 and cookie["httponly"] and cookie["samesite"] == "Lax"
    assert cookie["max-age"] == "604800" and cookie.value != token


async def test_what_was_filled_in_wrong_is_said_beside_it(gateway: RunningGateway) -> None:
    for field, value, words in (
        ("email", "nobody", "not an e-mail address"),
        ("password", "short", "at least 8"),
        ("terms", "", "Accept the terms"),
        ("age", "", "Confirm your age"),
        ("born", "", "year you were born in"),
        ("born", "60", "not a year of birth"),
        ("born", "2025", "too young"),
    ):
        response, text = await post(gateway, "/sign-up", FORM | {field: value})
        assert response.status == 422 and words in text and 'aria-invalid="true"' in text
        assert PASSWORD not in text


async def test_every_page_says_something_for_every_problem() -> None:
    """Each code that a room raises has words of its own."""
    root = Path(__file__).resolve().parents[2] / "gateway"
    template = (root / "web/console/templates/problems.html").read_text("utf-8")
    raised = set()
    for path in (root / "platform").rglob("*.py"):
        raised |= set(re.findall(r'Problem\("(\w+)", "(\w+)"\)', path.read_text("utf-8")))
    assert len(raised) > 8
    for field, code in raised:
        assert f'"{field}.{code}"' in template or f'problem.code == "{code}"' in template


async def test_a_confirmation_needs_the_password_that_was_chosen(gateway: RunningGateway) -> None:
    await post(gateway, "/sign-up", FORM)
    token = (await letter(gateway, "confirm")).token
    response, text = await get(gateway, f"/confirm/{token}")
    assert response.status == 200 and 'type="password"' in text
    response, _ = await post(gateway, f"/confirm/{token}", {"password": "not the one"})
    assert response.status == 422 and not response.cookies
    response, _ = await post(gateway, "/confirm/nonsense", {"password": PASSWORD})
    assert response.status == 403 and not response.cookies


async def test_a_forgotten_password(gateway: RunningGateway) -> None:
    before = await signed_up(gateway)
    response, _ = await post(gateway, "/reset", {"email": "ann@example.com"})
    assert response.status == 200
    token = (await letter(gateway, "reset")).token
    assert (await get(gateway, f"/reset/{token}"))[0].status == 200
    response, _ = await post(gateway, f"/reset/{token}", {"password": "short"})
    assert response.status == 422
    response, _ = await post(gateway, f"/reset/{token}", {"password": "battery staple"})
    assert response.status == 303 and response.headers["Location"] == "/sign-in"
    assert (await get(gateway, "/console", Cookie=f"token={before}"))[0].status == 303
    response, _ = await post(gateway, f"/reset/{token}", {"password": "battery staple"})
    assert response.status == 403
    assert (await post(gateway, "/sign-in", FORM))[0].status == 403
    response, _ = await post(gateway, "/sign-in", FORM | {"password": "battery staple"})
    assert response.status == 303


async def test_nobody_can_tell_whether_an_address_has_an_account(gateway: RunningGateway) -> None:
    """The same status, headers and body, whether the address is known or not."""
    await signed_up(gateway)

    async def seen(path: str, email: str, **fields: str) -> tuple[int, list[str], str]:
        response, text = await post(gateway, path, FORM | fields | {"email": email})
        policy = response.headers["Content-Security-Policy"]
        [nonce] = set(re.findall(r"'nonce-([\w-]+)'", policy))
        names = sorted(name for name in response.headers if name != "Date")
        return response.status, names, text.replace(nonce, "").replace(email, "")

    for path, fields in (
        ("/sign-up", {}),
        ("/sign-in", {"password": "wrong password"}),
        ("/reset", {}),
    ):
        known = await seen(path, "ann@example.com", **fields)
        assert known == await seen(path, "bob@example.com", **fields), path
    kinds = [s.letter.kind for s in await gateway.gateway.platform.people.mail.undelivered()]
    assert sorted(kinds) == ["already_registered", "confirm", "confirm", "reset"]


async def test_too_many_guesses_get_a_page_that_says_when(gateway: RunningGateway) -> None:
    for _ in range(10):
        response, _ = await post(gateway, "/sign-in", FORM)
        assert response.status == 403
    response, text = await post(gateway, "/sign-in", FORM)
    assert response.status == 429 and int(response.headers["Retry-After"]) > 0
    assert "Too many attempts" in text and PASSWORD not in text


async def test_links_in_letters_never_come_from_the_host_header(tmp_path: Path) -> None:
    async with running(tmp_path / "data", server_public_url="https://gate.example") as one:
        one.gateway.platform.people.passwords.cost = 4
        await post(one, "/sign-up", FORM, **{"Sec-Fetch-Site": "same-origin"}, Host="evil.example")
        from gateway.web.console.letters import Letters

        sent = await letter(one, "confirm")
        written = Letters("https://gate.example").write(sent)
        assert written.link == f"https://gate.example/confirm/{sent.token}"
        assert written.link in written.text and "evil" not in written.text


@pytest.mark.parametrize(
    "kind",
    ["confirm", "already_registered", "reset", "address", "address_changed", "password_changed"]
    + ["new_device", "factor_changed"],
)
def test_every_letter_has_words(kind: Any) -> None:
    from gateway.platform.mail import Letter
    from gateway.web.console.letters import Letters

    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    values = {"agent": firefox, "at_us": 1_700_000_000_000_000}
    written = Letters("http://h").write(Letter(kind, "a@b.c", token="abc", values=values))
    assert written.subject and "\n" not in written.subject and len(written.text) > 80
    assert ("/abc" in written.text) == bool(written.link)
    if kind == "new_device":
        assert "Firefox, Linux" in written.text and "Nov 14, 2023 22:13:20" in written.text
