"""Every page in every language, both themes, wide and narrow: whole, accessible, quiet, translated.

A page is loaded once in a language and looked at in each theme and width in place, which is what a
reader's system does when the evening comes or a window is made small. A new page fails here until
`places` says how to open it. `SCREENSHOTS=1` keeps pictures, in tests/web/browser/screenshots.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page

from gateway.web.console import i18n
from tests.fakes.sites import CLIENT
from tests.fakes.upstream import FakeUpstream
from tests.web.browser import looks, places
from tests.web.browser.conftest import SCREENSHOTS, Visitor, visiting

THEMES, WIDTHS = ("light", "dark"), (1280, 360)
BETWEEN = (800, 1100)  # a tablet and a small laptop: is anything too wide?
LOOKS = [(theme, width) for width in WIDTHS for theme in THEMES]
# In these languages a page is looked at in each theme and width, and all of axe runs in each of the
# twelve looks, also on what can be unfolded. The others are looked at narrow and light, where long
# words do not fit, and without axe. Pages that differ from another one in words alone are looked at
# so, too, with axe in these languages.
FULL = ("en", "zh", "ru")
TABS = 2  # pages at once, one for each core


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    """A browser before a gateway that has another provider and sign-in by other sites."""
    async with visiting(tmp_path / "data", **CLIENT) as one:
        yield one


def name_of(path: str, locale: str, theme: str, width: int) -> str:
    file = re.sub(r"\W+", "-", re.sub(r"(acc|req|key)_\w+", r"\1", path)).strip("-") or "home"
    return f"{file[:60]}-{locale}-{theme}-{width}"


async def look(
    visitor: Visitor, page: Page, locale: str, theme: str, width: int, full: bool
) -> None:
    """One page as it stands, in one theme and width; `full`: with axe, and unfolded."""
    path = page.url.removeprefix(visitor.gateway.url)
    where = f"{locale} {theme} {width} {path}"
    await page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    await page.set_viewport_size({"width": width, "height": 800})
    await looks.settle(page)
    visitor.faults += [f"{where}: {fault}" for fault in await looks.wholeness(page)]
    if full:
        # Once: unfolded, everything is there that stood there folded.
        if unfolded := await looks.unfold(page):
            where += ", unfolded"
            visitor.faults += [f"{where}: {fault}" for fault in await looks.wholeness(page)]
        visitor.faults += [f"{where}: {fault}" for fault in await looks.access(page)]
        if unfolded:
            await looks.fold(page)
    if os.environ.get("SCREENSHOTS"):
        SCREENSHOTS.mkdir(exist_ok=True)
        file = SCREENSHOTS / f"{name_of(path, locale, theme, width)}.png"
        await page.screenshot(path=file, full_page=True)


async def visit(visitor: Visitor, page: Page, locale: str, path: str) -> None:
    answer = await page.goto(visitor.gateway.url + path)
    assert answer is not None
    if answer.status != (404 if path.endswith("/none") else 200):
        visitor.faults.append(f"{locale} {path}: {answer.status}")
    if page.url != visitor.gateway.url + path:
        visitor.faults.append(f"{locale} {path}: led to {page.url}")
    visitor.faults += [f"{locale} {path}: {fault}" for fault in await looks.words(page, locale)]
    alike = any(places.is_of(path, each) for each in places.ALIKE)
    for theme, width in LOOKS if locale in FULL and not alike else [("light", 360)]:
        await look(visitor, page, locale, theme, width, full=locale in FULL)
    for width in BETWEEN:
        await page.set_viewport_size({"width": width, "height": 800})
        await looks.settle(page)
        faults = await looks.wholeness(page)
        visitor.faults += [f"{locale} {width} {path}: {fault}" for fault in faults]


async def tour(
    visitor: Visitor, shop: places.Shop, locale: str, stops: list[tuple[str, str]]
) -> None:
    """Some pages one after the other, a context for each kind of visitor."""
    page, who = None, ""
    for wanted, path in stops:
        if page is None or wanted != who:
            if page is not None:
                await page.context.close()
            page, who = await visitor.open("", 1280, locale, token=shop.tokens[wanted]), wanted
        await visit(visitor, page, locale, path)
    if page is not None:
        await page.context.close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("locale", i18n.LANGUAGES)
async def test_every_page_is_whole_accessible_quiet_and_translated(
    visitor: Visitor, locale: str
) -> None:
    async with FakeUpstream() as upstream:
        shop = await places.prepare(visitor.gateway, upstream)
        stops = shop.places()
        parts = [stops[len(stops) * n // TABS : len(stops) * (n + 1) // TABS] for n in range(TABS)]
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(tour(visitor, shop, locale, part))
    missing = [f for f in visitor.faults if "status of 404" not in f or "/none" not in f]
    assert not missing, "\n".join(sorted(set(missing)))


async def test_every_page_of_the_application_is_in_the_matrix(visitor: Visitor) -> None:
    app = visitor.gateway.gateway._runner.app
    assert isinstance(app, web.Application)
    assert places.page_routes(app) == places.PAGES.keys() | places.NOT_PAGES
    for canonical, rows in places.PAGES.items():
        assert rows, canonical
        for who, path in rows:
            assert who in places.WHO and places.is_of(path, canonical), (canonical, path)
    for canonical in places.NOT_PAGES:
        path = re.sub(r"\{\w+\}", "x", canonical)
        async with visitor.gateway.session.get(
            visitor.gateway.url + path, headers={"Cookie": f"token={visitor.token}"}
        ) as response:
            shown = response.content_type == "text/html" and response.status == 200
            assert not shown or response.history or response.status >= 400, canonical
