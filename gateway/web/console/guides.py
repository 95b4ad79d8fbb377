"""The guides under /docs: what an operator needs to know, from the files in templates/guides.

They are English and say so; the frame around them is the reader's language. `{{settings}}` in a
file is the table of every setting, made from the settings' own.
"""

from pathlib import Path
from typing import Final

from aiohttp import web

from gateway.base.config import SETTINGS
from gateway.web.console.markdown import Page, render
from gateway.web.console.render import Pages
from gateway.web.guard import PUBLIC, Guard

FOLDER: Final = Path(__file__).parent / "templates" / "guides"
# In the order of the list beside them.
NAMES: Final = (
    *("catalog", "routing", "limits", "cache", "sandbox", "endpoints", "translation"),
    *("people", "api", "request", "settings"),
)


class GuidePages:
    """The handler over the files."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The route, for the application; it comes after those of the other pages under /docs."""
        return [guard.get("/docs/guides/{name}", PUBLIC, self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """One guide. Raises HTTPNotFound."""
        name = request.match_info["name"]
        guide = GUIDES.get(name)
        if guide is None:
            raise web.HTTPNotFound
        titles = [(each, GUIDES[each].title) for each in NAMES]
        return self._pages.render(
            request, "public/guide.html", guide=guide, name=name, guides=titles
        )


def read(name: str) -> Page:
    """A guide from its file. Raises OSError."""
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    return render(text.replace("{{settings}}", settings_table()))


def settings_table() -> str:
    """Every setting with its default and what it means, as a table of Markdown."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for setting in SETTINGS:
        shown = "empty" if setting.default == "" else str(setting.default)
        shown = shown.lower() if isinstance(setting.default, bool) else shown
        lines.append(f"| `{setting.name}` | {shown} | {setting.help} |")
    return "\n".join(lines)


GUIDES: Final = {name: read(name) for name in NAMES}  # read once, at the import
