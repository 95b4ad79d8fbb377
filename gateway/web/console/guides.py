"""The guides under /docs: what an operator needs to know, from the files in templates/guides.

English is the source; every other language has the same files, whose first line is a comment that
names the English text it says (`guide_findings` tells which do not). `{{settings}}` in a file is
the table of every setting, made from the settings' own. Places within a guide have their English
names in all languages, so that a link leads there in each.
Files are read and rendered when a page is drawn, off the event loop; they know no request.
"""

import functools
from pathlib import Path
from typing import Final

from gateway.base.config import SETTINGS
from gateway.web.console import i18n
from gateway.web.console.markdown import Page, anchors, render

FOLDER: Final = Path(__file__).parent / "templates" / "guides"
# In the order of the list beside them.
NAMES: Final = (
    *("catalog", "routing", "limits", "cache", "sandbox", "endpoints", "translation"),
    *("people", "api", "request", "settings"),
)


def path_of(name: str, code: str) -> Path:
    """Where the text of a guide in a language is."""
    return FOLDER / code / f"{name}.md"


def text_of(name: str, code: str = i18n.SOURCE) -> str:
    """The text of a guide in a language, without the comment at its head. Raises OSError."""
    text = path_of(name, code).read_text("utf-8")
    return text.partition("-->\n")[2] if text.startswith("<!--") else text


def guide(name: str) -> Page:
    """A guide in the language spoken now. Raises OSError."""
    return _read(name, i18n.language().code)


@functools.cache
def _read(name: str, code: str) -> Page:
    with i18n.speaking(i18n.LANGUAGES[code]):
        text = text_of(name, code).replace("{{settings}}", settings_table())
    return render(text, anchors(text_of(name)))


def settings_table() -> str:
    """Every setting with its default and what it means, as a table of Markdown."""
    head = (i18n.gettext("Setting"), i18n.gettext("Default"), i18n.gettext("Meaning"))
    lines = [f"| {' | '.join(head)} |", "|---|---|---|"]
    for setting in SETTINGS:
        shown = str(setting.default)
        shown = f"`{shown.lower() if isinstance(setting.default, bool) else shown}`"
        shown = i18n.gettext("empty") if setting.default == "" else shown
        lines.append(f"| `{setting.name}` | {shown} | {i18n.gettext(setting.help)} |")
    return "\n".join(lines)
