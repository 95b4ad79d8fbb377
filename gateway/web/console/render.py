"""Pages: what a handler gives becomes a response whose text is drawn off the event loop.

A page is in the reader's language and theme (`i18n`, cookies `locale` and `theme`), and its frame
is that of its address: console, administration or public. It decides nothing and reads no room.
Where many pages are asked for they are drawn in a child process, so that they take neither the
interpreter nor, on a busy core, the time of streams; else, and whenever the child is not to be
had, or the cores have no time for it, in a thread. What they are given must therefore not change
meanwhile, and be plain values: a function or what holds a room does not travel.
"""

import asyncio
import functools
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment

from gateway.base.apart import Apart, Job, NotApart
from gateway.web.console import drawing, i18n
from gateway.web.console.assets import Asset, import_map, load_assets
from gateway.web.console.forms import kept
from gateway.web.guard import ACCOUNT, DESK
from gateway.web.security import DRAW, NONCE, is_https

_ROOM = Path(__file__).parent
THEMES: Final = ("light", "dark")
APART_PAGES: Final = 20  # in ten seconds: fewer are not worth a process
NICE: Final = 10  # somebody waits for a page: a tenth of a core that others keep busy
APART_S: Final = 1.0  # on a core that has no time for it, pages are drawn here for a while
PATIENT: Final = False  # a page waits for no child that starts
_LOCAL = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


def base_url(request: web.Request) -> str:
    """The address clients use, as this browser reached it. The Host was checked before."""
    return f"{'https' if is_https(request) else 'http'}://{request.headers.get('Host', '')}/v1"


def local_path(path: str) -> str:
    """An address of this site to go back to; anything else becomes the start page."""
    return path if _LOCAL.fullmatch(path) else "/"


def language_of(request: web.Request) -> i18n.Language:
    """The language of who asks."""
    return i18n.language_of(request.cookies, request.headers)


class Pages:
    """The templates, ready to render.

    `paths` are the pages that exist and the action of each, for the navigation.
    """

    def __init__(self) -> None:
        self.assets: dict[str, Asset] = load_assets(_ROOM / "static")
        self.paths: Mapping[str, str] = {}
        self._closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tallygate-pages")

    async def close(self, _: Any = None) -> None:
        """End the thread that draws, and the child."""
        if not self._closed:
            self._closed = True
            self._thread.submit(lambda: self.apart.close())
            self._thread.shutdown(wait=False)

    @functools.cached_property
    def _site(self) -> drawing.Site:
        addresses = {name: asset.path for name, asset in self.assets.items()}
        return drawing.Site(addresses, import_map(self.assets), dict(self.paths))

    @functools.cached_property
    def _templates(self) -> Environment:
        return drawing.templates(self._site)

    @functools.cached_property
    def apart(self) -> Apart:
        """The child that draws where there is much to draw."""
        prepare = Job(drawing.prepare, (self._site,))
        return Apart(
            "pages", prepare, nice=NICE, worth=APART_PAGES, patient=PATIENT, timeout_s=APART_S
        )

    def text(self, template: str, language: i18n.Language, /, **values: Any) -> str:
        """A template as text in a language. For the thread that draws."""
        try:
            return self.apart.call(drawing.draw, template, language.code, values)
        except NotApart:
            return drawing.page(self._templates, template, language.code, values)

    def render(
        self, request: web.Request, template: str, *, status: int = 200, **values: Any
    ) -> web.Response:
        """A page with this response's nonce; `account` is None for a visitor.

        Its text is not there yet: the middleware of `security` has it drawn.
        """
        account = values.setdefault("account", request.get(ACCOUNT))
        theme = request.cookies.get("theme", "")
        write = functools.partial(
            self.text,
            template,
            language_of(request),
            nonce=request[NONCE],
            base_url=base_url(request),
            path=request.path,
            back=local_path(request.path_qs) if request.method == "GET" else "/",
            desk=request.get(DESK),
            kept=kept(request, status),
            area=_area(request.path) if account is not None else "public",
            theme=theme if theme in THEMES else "",
            status=status,
            **values,
        )
        response = web.Response(status=status, content_type="text/html", charset="utf-8")
        loop = asyncio.get_running_loop()
        response[DRAW] = lambda: loop.run_in_executor(self._thread, write)
        response.headers["Vary"] = "Accept-Language, Cookie"
        return response


def _area(path: str) -> str:
    """Which frame an address has: that of the console, of the administration, or the public one."""
    first = path.split("/", 2)[1]
    return {"console": "console", "settings": "console", "admin": "admin"}.get(first, "public")
