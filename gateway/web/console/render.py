"""Pages: what a handler gives becomes a response whose text is drawn off the event loop.

A page is in the reader's language and theme (`i18n`, cookies `locale` and `theme`) and in the zone
of the reader's profile, and its frame is that of its address: console, administration or public. It
decides nothing and reads no room. Where many pages are asked for they are drawn in a child process,
so that they take neither the interpreter nor, on a busy core, the time of streams; else, and
whenever the child is not to be had, or the cores have no time for it, in a thread. What they are
given must therefore not change meanwhile, and be plain values: a function or what holds a room does
not travel.
"""

import asyncio
import functools
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment

from gateway.base.apart import Apart, Job, NotApart
from gateway.base.scheduling import give_way
from gateway.web.console import drawing, i18n
from gateway.web.console.assets import Asset, import_map, load_assets
from gateway.web.console.forms import kept
from gateway.web.console.operator import Operator
from gateway.web.guard import ACCOUNT, DESK, PROFILE, language_of
from gateway.web.security import DRAW, NONCE, REQUEST_ID, is_https

_ROOM = Path(__file__).parent
THEMES: Final = ("light", "dark")
APART_PAGES: Final = 20  # in ten seconds: fewer are not worth a process
APART_S: Final = 1.0  # on a core that has no time for it, pages are drawn here for a while
PATIENT: Final = False  # a page waits for no child that starts
ERROR: Final = "error.html"
MAX_ERRORS: Final = 64  # pages kept, of some 10 KB
_LOCAL = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


def base_url(request: web.Request) -> str:
    """The address clients use, as this browser reached it. The Host was checked before."""
    return f"{'https' if is_https(request) else 'http'}://{request.headers.get('Host', '')}/v1"


def local_path(path: str) -> str:
    """An address of this site to go back to; anything else becomes the start page."""
    return path if _LOCAL.fullmatch(path) else "/"


class Pages:
    """The templates, ready to render.

    `paths` are the pages that exist and the action of each, for the navigation. `announced` tells
    from memory what the frame of the console says of an incident, a plain value; `coming` the
    version of the legal texts that the console and the start page tell of.
    """

    def __init__(self, operator: Operator) -> None:
        self.assets: dict[str, Asset] = load_assets(_ROOM / "static")
        self.paths: Mapping[str, str] = {}
        self._operator = operator
        self.announced: Callable[[], Any] = lambda: None
        self.coming: Callable[[], Any] = lambda: None
        self._errors: OrderedDict[tuple[str, ...], str] = OrderedDict()
        # What stands for the nonce and the request's id in a page that is kept.
        self._mark, self._id_mark = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self._closed = False
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="tallygate-pages", initializer=give_way
        )

    async def close(self, _: Any = None) -> None:
        """End the thread that draws, and the child."""
        if not self._closed:
            self._closed = True
            self._thread.submit(lambda: self.apart.close())
            self._thread.shutdown(wait=False)

    @functools.cached_property
    def _site(self) -> drawing.Site:
        addresses = {name: asset.path for name, asset in self.assets.items()}
        return drawing.Site(addresses, import_map(self.assets), dict(self.paths), self._operator)

    @functools.cached_property
    def _templates(self) -> Environment:
        return drawing.templates(self._site)

    @functools.cached_property
    def apart(self) -> Apart:
        """The child that draws where there is much to draw."""
        prepare = Job(drawing.prepare, (self._site,))
        return Apart(
            "pages", prepare, idle=True, worth=APART_PAGES, patient=PATIENT, timeout_s=APART_S
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
        """A page with this response's nonce and id; `account` is None for a visitor.

        Its text is not there yet: the middleware of `security` has it drawn.
        """
        account = values.setdefault("account", request.get(ACCOUNT))
        theme = request.cookies.get("theme", "")
        language, profile = language_of(request), request.get(PROFILE)
        frame: dict[str, Any] = {
            "base_url": base_url(request),
            "path": request.path,
            "back": local_path(request.path_qs) if request.method == "GET" else "/",
            "area": _area(request.path) if account is not None else "public",
            "theme": theme if theme in THEMES else "",
            "status": status,
            "me": profile,
            "zone": profile.time_zone if profile is not None else "",
        }
        frame["announced"] = self.announced() if frame["area"] == "console" else None
        told = request.path == "/" or frame["area"] == "console"
        frame["coming_version"] = self.coming() if told else None
        write = functools.partial(
            self.text,
            template,
            language,
            desk=request.get(DESK),
            kept=kept(request, status),
            **frame,
            **values,
        )
        response = web.Response(status=status, content_type="text/html", charset="utf-8")
        response.headers["Vary"] = "Accept-Language, Cookie"
        own = {"nonce": request[NONCE], "request_id": request[REQUEST_ID]}
        if template == ERROR and account is None:
            key = (language.code, values["words"], *map(str, frame.values()))
            self._kept_error(response, key, own, write)
        else:
            response[DRAW] = self._drawing(functools.partial(write, **own))
        return response

    def _kept_error(
        self,
        response: web.Response,
        key: tuple[str, ...],
        own: Mapping[str, str],
        write: Callable[..., str],
    ) -> None:
        """A visitor's error page, drawn once: a flood that is refused costs the streams little."""
        marks = {"nonce": self._mark, "request_id": self._id_mark}

        def owned(text: str) -> str:
            for name, mark in marks.items():
                text = text.replace(mark, own[name])
            return text

        text = self._errors.get(key)
        if text is not None:
            self._errors.move_to_end(key)
            response.text = owned(text)
            return

        async def draw() -> str:
            text = await self._drawing(functools.partial(write, **marks))()
            self._errors[key] = text
            while len(self._errors) > MAX_ERRORS:
                self._errors.popitem(last=False)
            return owned(text)

        response[DRAW] = draw

    def _drawing(self, write: Callable[[], str]) -> Callable[[], Awaitable[str]]:
        loop = asyncio.get_running_loop()
        return lambda: loop.run_in_executor(self._thread, write)


def _area(path: str) -> str:
    """Which frame an address has: that of the console, of the administration, or the public one."""
    first = path.split("/", 2)[1]
    return {"console": "console", "settings": "console", "admin": "admin"}.get(first, "public")
