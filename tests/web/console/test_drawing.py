"""Pages drawn by a child are those drawn here; without the child they are there all the same."""

import os
import re
import signal

import pytest

from gateway.platform.accounts.profiles import Profile
from gateway.web.console import render
from gateway.web.console.render import Pages
from tests.fakes.gateway import EMAIL, running
from tests.web.browser.sessions import sign_in

ADDRESSES = ("/", "/models", "/docs", "/status", "/sign-in", "/sign-up", "/no/such/page")


@pytest.fixture
def eager(monkeypatch):
    """Every page is worth a child, and waits for it."""
    made: list[Pages] = []
    real = Pages.__init__

    def begin(pages, operator):
        real(pages, operator)
        made.append(pages)

    monkeypatch.setattr(Pages, "__init__", begin)
    monkeypatch.setattr(render, "APART_PAGES", 1)
    monkeypatch.setattr(render, "PATIENT", True)
    monkeypatch.setattr(render, "APART_S", 60.0)
    monkeypatch.setattr("gateway.base.apart.RESTART_S", 0.0)
    return made


async def test_pages_are_drawn_apart(tmp_path, eager):
    async with running(tmp_path / "data") as gateway:
        for address in ADDRESSES:
            async with gateway.session.get(gateway.url + address) as answer:
                text = await answer.text()
            assert answer.status == (404 if address.startswith("/no") else 200)
            assert text.startswith("<!doctype html>") and text.rstrip().endswith("</html>")
        [pages] = eager
        assert pages.apart.done == len(ADDRESSES) and pages.apart.starts == 1


async def test_a_profile_goes_along_to_the_child(tmp_path, eager):
    async with running(tmp_path / "data") as gateway:
        token, platform = await sign_in(gateway), gateway.gateway.platform
        said = Profile(display_name="Ada", time_zone="Asia/Tokyo", language="fr")
        await platform.people.profiles.change(platform.accounts.named(EMAIL), said)
        url = gateway.url + "/settings/security"
        async with gateway.session.get(url, cookies={"token": token}) as answer:
            text = await answer.text()
        [pages] = eager
        assert pages.apart.done == 1
        assert "(Tokyo)" in text and "UTC+9" in text and "Ada" in text and 'lang="fr"' in text


async def test_a_visitors_error_is_drawn_once_and_each_answer_has_a_nonce(tmp_path, eager):
    async with running(tmp_path / "data") as gateway:

        async def error(path: str = "/no/such/page", **headers: str) -> tuple[str, str]:
            async with gateway.session.get(gateway.url + path, headers=headers) as answer:
                policy, text = answer.headers["Content-Security-Policy"], await answer.text()
                id = answer.headers["x-request-id"]
            assert answer.status == 404 and f"<code>{id}</code>" in text and id not in ids
            ids.add(id)
            [nonce] = set(re.findall(r"'nonce-([\w-]+)'", policy))
            assert set(re.findall(r'nonce="([^"]*)"', text)) == {nonce}
            return nonce, text.replace(nonce, "").replace(id, "")

        ids: set[str] = set()
        first, again = await error(), await error()
        [pages] = eager
        assert first[0] != again[0] and first[1] == again[1] and pages.apart.done == 1
        french, dark, elsewhere = (
            await error(**{"Accept-Language": "fr"}),
            await error(Cookie="theme=dark"),
            await error("/another/page"),
        )
        assert len({first[1], french[1], dark[1], elsewhere[1]}) == 4
        assert pages.apart.done == 4 and "Introuvable" in french[1]
        for number in range(render.MAX_ERRORS + 5):
            await error(f"/{number}")
        assert len(pages._errors) == render.MAX_ERRORS


async def test_pages_are_drawn_while_the_child_is_down(tmp_path, eager):
    async with running(tmp_path / "data") as gateway:

        async def page() -> int:
            async with gateway.session.get(gateway.url + "/models") as answer:
                assert "</html>" in await answer.text()
            return answer.status

        assert await page() == 200
        [pages] = eager
        os.kill(pages.apart.pid, signal.SIGKILL)
        assert [await page() for _ in range(3)] == [200, 200, 200]
        assert pages.apart.starts == 2
        os.kill(pages.apart.pid, signal.SIGSTOP)  # alive, and no use
        pages.apart._socket.settimeout(0.05)
        assert await page() == 200
        pid = pages.apart.pid
    assert pages.apart.pid is None and pid is None


async def test_a_few_pages_start_no_child(tmp_path, eager, monkeypatch):
    monkeypatch.setattr(render, "APART_PAGES", 20)
    async with running(tmp_path / "data") as gateway:
        for address in ADDRESSES:
            async with gateway.session.get(gateway.url + address) as answer:
                assert "</html>" in await answer.text()
        [pages] = eager
        assert (pages.apart.starts, pages.apart.done) == (0, 0)
