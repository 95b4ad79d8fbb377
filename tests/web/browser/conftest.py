"""A browser for the tests of pages: the system's Chromium, else Playwright's own, else a skip."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Error, Page, async_playwright

from tests.fakes.gateway import EMAIL, RunningGateway, running
from tests.web.browser.sessions import sign_in

SCREENSHOTS = Path(__file__).parent / "screenshots"
ROW = {"role": "user", "content": "Hello"}
# What Chromium advises about password managers is no fault of a page.
ADVICE = ("[DOM] Password forms should have", "[DOM] Input elements should have autocomplete")


@dataclass
class Visitor:
    """A browser before a gateway, and what went wrong while pages were looked at."""

    gateway: RunningGateway
    browser: Browser
    token: str
    faults: list[str] = field(default_factory=list)

    async def open(
        self,
        theme: str,
        width: int,
        locale: str = "en",
        *,
        token: str = "",
        scripts: bool = True,
    ) -> Page:
        """A page of a new context; its console's errors are faults. No theme: the system's."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
            java_script_enabled=scripts,
        )
        chosen = {"theme": theme, "locale": locale, "token": token}
        await self.choose(context, **{name: value for name, value in chosen.items() if value})
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: self._heard(page, message.type, message.text))
        page.on("pageerror", lambda error: self._heard(page, "error", str(error)))
        return page

    async def choose(self, context: Any, **cookies: str) -> None:
        url = self.gateway.url
        await context.add_cookies(
            [{"name": name, "value": value, "url": url} for name, value in cookies.items()]
        )

    def _heard(self, page: Page, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(ADVICE):
            self.faults.append(f"{page.url}: {kind}: {text}")


@contextlib.asynccontextmanager
async def visiting(data_dir: Path, **settings: str) -> AsyncIterator[Visitor]:
    """An administrator's browser before a gateway that has served some requests."""
    system = shutil.which("chromium") or shutil.which("google-chrome")
    async with contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running(data_dir, **settings))
        await gateway.command("accounts.role", email=EMAIL, role="administrator")
        for model in ("sandbox/lorem:tokens=1234,tps=0", "sandbox/echo", "sandbox/lorem:error=500"):
            await gateway.post({"model": model, "messages": [ROW]})
        await gateway.settled()
        playwright = await stack.enter_async_context(async_playwright())
        try:
            browser = await playwright.chromium.launch(
                executable_path=system, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
        except Error:
            pytest.skip("no browser: apt-get install chromium, or playwright install chromium")
        stack.push_async_callback(browser.close)
        yield Visitor(gateway, browser, await sign_in(gateway))


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    """What most tests of pages need."""
    async with visiting(tmp_path / "data") as one:
        yield one
