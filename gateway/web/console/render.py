"""Templates and their filters: values of the rooms become text for people.

Every template is autoescaped and an unknown name is an error. Times are UTC, money is exact
(`base.money` formats it), numbers are grouped by thousands. It decides nothing and reads no room.
"""

import functools
import hashlib
import time
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.base.money import format_price, format_usd
from gateway.web.guard import ACCOUNT
from gateway.web.security import NONCE, is_https

_ROOM = Path(__file__).parent
STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A static file in memory; its address holds a digest, so a browser may keep it for ever."""

    path: str
    content_type: str
    body: bytes


def _load_assets() -> dict[str, Asset]:
    found = {}
    for file in sorted((_ROOM / "static").iterdir()):
        if file.suffix in STATIC_TYPES:
            body = file.read_bytes()
            digest = hashlib.sha256(body).hexdigest()[:12]
            path = f"/static/{digest}/{file.name}"
            found[file.name] = Asset(path, STATIC_TYPES[file.suffix], body)
    return found


def usd(amount_microusd: int) -> str:
    """Exact dollars, grouped: `1,234.50`."""
    sign = "-" if amount_microusd < 0 else ""
    whole, _, fraction = format_usd(abs(amount_microusd)).partition(".")
    return f"{sign}{int(whole):,}.{fraction}"


def cost(row: Any) -> str:
    """The cost of a logged request; less than a micro-dollar is said so and not shown as zero."""
    if row.cost_microusd == 0 and row.cost_picousd > 0:
        return f"< {format_usd(1)}"
    if row.cost_picousd == 0:
        return "0"
    return format_usd(row.cost_microusd)


def price(picousd_per_token: int) -> str:
    """Dollars for a million tokens, at least two decimals."""
    text = format_price(picousd_per_token)
    whole, _, fraction = text.partition(".")
    return f"{int(whole):,}.{fraction.ljust(2, '0')}"


def moment(at_us: int) -> str:
    """A time in UTC to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_us // 1_000_000))


def duration(value_ms: int | None) -> str:
    """Milliseconds as people say them."""
    if value_ms is None:
        return "–"
    return f"{value_ms} ms" if value_ms < 10_000 else f"{value_ms // 1000} s"


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


class Pages:
    """The templates, ready to render."""

    def __init__(self) -> None:
        self.assets = _load_assets()
        self._environment = Environment(
            loader=FileSystemLoader(_ROOM / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            usd=usd, cost=cost, price=price, moment=moment, duration=duration, total=input_tokens
        )
        self._environment.filters["device"] = describe_agent
        self._environment.filters["grouped"] = lambda number: f"{number:,}"
        self._environment.globals["asset"] = lambda name: self.assets[name].path

    def render(
        self, request: web.Request, template: str, *, status: int = 200, **values: Any
    ) -> web.Response:
        """A page with this response's nonce; `account` is None for a visitor."""
        values.setdefault("account", request.get(ACCOUNT))
        text = self._environment.get_template(template).render(
            nonce=request[NONCE], base_url=base_url(request), status=status, **values
        )
        return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
