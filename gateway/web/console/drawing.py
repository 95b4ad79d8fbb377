"""Templates and their filters: values of the rooms become text for people.

Every template is autoescaped and an unknown name is an error. `draw` is run by a child process
(`base.apart`), for which `prepare` is run first: a page takes milliseconds of the interpreter, and
the streams have ours. So this file and what it is given know no request, no room and nothing that
is open; what a page of a site needs besides its values is the `Site`.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.base.money import format_usd
from gateway.platform.accounts.roles import may
from gateway.web.console import guides, i18n
from gateway.web.console.operator import Operator
from gateway.web.console.refusals import said

TEMPLATES: Final = Path(__file__).parent / "templates"


class Site(NamedTuple):
    """What all pages have in common: addresses of assets, scripts, the pages there are.

    `paths` has the action of each page, for the navigation; `operator` is who runs the place.
    """

    assets: Mapping[str, str]
    import_map: str
    paths: Mapping[str, str]
    operator: Operator


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
    "stated": i18n.stated,
    "zoned": i18n.zoned,
    "instant": i18n.instant,
    "day": i18n.day,
    "date": i18n.date_of,
    "bucket": i18n.bucket,
    "iso": i18n.iso,
    "duration": i18n.duration,
    "grouped": i18n.number,
    "lasting": i18n.lasting,
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


def templates(site: Site) -> Environment:
    """The templates of the pages of a site."""
    made = environment(TEMPLATES, autoescape=True)
    made.globals.update(
        asset=site.assets.__getitem__,
        has_asset=site.assets.__contains__,
        has_page=site.paths.__contains__,
        may_open=lambda path, account: path in site.paths and may(account.role, site.paths[path]),
        import_map=site.import_map,
        operator=site.operator,
        guide=guides.guide,
        guides=guides.NAMES,
        spoken_languages=tuple(i18n.LANGUAGES.values()),
    )
    return made


def page(made: Environment, template: str, code: str, values: Mapping[str, Any]) -> str:
    """A template as text in the language of a code."""
    language = i18n.LANGUAGES[code]
    with i18n.speaking(language, values.get("zone", "")):
        return made.get_template(template).render(language=language, **values)


# --- in a child ---------------------------------------------------------------------------------

_prepared: dict[str, Environment] = {}


def prepare(site: Site) -> None:
    """Make `draw` draw pages of this site."""
    _prepared["pages"] = templates(site)


def draw(template: str, code: str, values: Mapping[str, Any]) -> str:
    """A page of the site that was prepared."""
    return page(_prepared["pages"], template, code, values)
