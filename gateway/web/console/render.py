"""Templates and their filters: values of the rooms become text for people.

Every template is autoescaped and an unknown name is an error. A page is in the reader's language
and theme (`i18n`, cookies `locale` and `theme`), and its frame is that of its address: console,
administration or public. It decides nothing and reads no room. Templates are drawn in a thread of
their own, so what they are given must not change meanwhile.
"""

import asyncio
import functools
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.base.money import format_usd
from gateway.platform.accounts.roles import may
from gateway.web.console import i18n
from gateway.web.console.assets import Asset, import_map, load_assets
from gateway.web.console.forms import kept
from gateway.web.console.refusals import said
from gateway.web.guard import ACCOUNT, DESK
from gateway.web.security import DRAW, NONCE, is_https

_ROOM = Path(__file__).parent
THEMES: Final = ("light", "dark")
_LOCAL = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


def cost(row: Any) -> str:
    """The cost of a logged request; less than a micro-dollar is said so and not shown as zero."""
    if row.cost_microusd == 0 and row.cost_picousd > 0:
        return f"< {i18n.column(1)}"
    if row.cost_picousd == 0:
        return "0"
    return i18n.column(row.cost_microusd)


def exact(amount_microusd: int) -> str:
    """Exact dollars as programs write them, for files and attributes."""
    return format_usd(amount_microusd)


def input_tokens(row: Any) -> int:
    """Every prompt token of a logged request, cached or not."""
    return int(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens)


@functools.lru_cache(maxsize=256)
def describe_agent(agent: str) -> str:
    """A browser and system as people name them, such as `Firefox, Linux`; a dash for neither."""
    import ua_parser  # a tenth of a second to load, for the few who look

    found = ua_parser.parse(agent)
    names = [
        part.family for part in (found.user_agent, found.os) if part and part.family != "Other"
    ]
    return ", ".join(names) or "–"


def base_url(request: web.Request) -> str:
    """The address clients use, as this browser reached it. The Host was checked before."""
    return f"{'https' if is_https(request) else 'http'}://{request.headers.get('Host', '')}/v1"


def local_path(path: str) -> str:
    """An address of this site to go back to; anything else becomes the start page."""
    return path if _LOCAL.fullmatch(path) else "/"


def language_of(request: web.Request) -> i18n.Language:
    """The language of who asks."""
    return i18n.language_of(request.cookies, request.headers)


FILTERS: Final = {
    "usd": i18n.usd,
    "money": i18n.money,
    "brief": i18n.brief,
    "column": i18n.column,
    "clock": i18n.clock,
    "exact": exact,
    "cost": cost,
    "price": i18n.price,
    "moment": i18n.moment,
    "day": i18n.day,
    "iso": i18n.iso,
    "duration": i18n.duration,
    "grouped": i18n.number,
    "compact": i18n.compact,
    "percent": i18n.percent,
    "size": i18n.size,
    "total": input_tokens,
    "refusal": said,
    "device": describe_agent,
}


def environment(folder: Path, *, autoescape: bool) -> Environment:
    """Templates of a folder with every filter and the language spoken when they are rendered."""
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=autoescape,  # noqa: S701 (off for plain text alone)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.filters.update(FILTERS)
    made.install_gettext_callables(  # type: ignore[attr-defined]
        i18n.gettext, i18n.ngettext, newstyle=True
    )
    return made


class Pages:
    """The templates, ready to render.

    `paths` are the pages that exist and the action of each, for the navigation.
    """

    def __init__(self) -> None:
        self.assets: dict[str, Asset] = load_assets(_ROOM / "static")
        self.paths: Mapping[str, str] = {}
        self._environment = environment(_ROOM / "templates", autoescape=True)
        self._environment.globals.update(
            asset=lambda name: self.assets[name].path,
            has_asset=lambda name: name in self.assets,
            has_page=lambda path: path in self.paths,
            may_open=lambda path, account: (
                path in self.paths and may(account.role, self.paths[path])
            ),
            import_map=import_map(self.assets),
            spoken_languages=tuple(i18n.LANGUAGES.values()),
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tallygate-pages")

    async def close(self, _: Any = None) -> None:
        """End the thread that draws."""
        self._thread.shutdown(wait=False)

    def text(self, template: str, language: i18n.Language, /, **values: Any) -> str:
        """A template as text in a language."""
        with i18n.speaking(language):
            return self._environment.get_template(template).render(language=language, **values)

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
