"""The Markdown of the guides as HTML: our own files, a small part of the language.

Headings, paragraphs, lists, tables, fenced code; within a line code, bold and links. Whatever else
stands in a file is shown as it is written. Everything is escaped, so a text can name any tag.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup, escape

_CODE = re.compile(r"(`[^`]+`)")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_LINK = re.compile(r"\[([^\]]+)\]\(((?:https?://|/|#)[^)\s]*)\)")
_HEADING = re.compile(r"(#{1,3}) (.+)")
ITEM: Final = re.compile(r"(?:- |\d+\. )")
_CELL = re.compile(r"((?:`[^`]*`|\\\||[^|])*)\|")
_NUMBER = re.compile(r"[\d,.]+")
LABEL_CELLS: Final = 3  # of its head, which name a table to those who do not see it
_TAGS: Final = {"- ": "ul"}


class Page(NamedTuple):
    """A guide: its title, its second headings with their anchors, its text."""

    title: str
    headings: tuple[tuple[str, str], ...]
    html: Markup


def inline(text: str) -> str:
    """The marks within a line."""
    parts = []
    for part in _CODE.split(text):
        if part.startswith("`") and part.endswith("`") and len(part) > 2:
            parts.append(f"<code>{escape(part[1:-1])}</code>")
        else:
            safe = _BOLD.sub(r"<strong>\1</strong>", str(escape(part)))
            parts.append(_LINK.sub(r'<a href="\2">\1</a>', safe))
    return "".join(parts)


def anchors(text: str) -> list[str]:
    """The names of the places of a file's headings, in order; its title has none."""
    found = (_HEADING.fullmatch(lines[0]) for lines in blocks(text))
    return [_anchor(heading[2]) for heading in found if heading is not None and heading[1] != "#"]


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def render(text: str, places: Sequence[str] = ()) -> Page:
    """A whole file; its first heading is the page's title.

    `places` are the names of its headings' places: of another language's text where its own
    words are not to name them.
    """
    title, headings, parts = "", [], []
    names = iter(places or anchors(text))
    for lines in blocks(text):
        heading = _HEADING.fullmatch(lines[0])
        if heading is None:
            parts.append(_block(lines, title))
        elif heading[1] == "#":
            title = heading[2]
        else:
            name, level = next(names), len(heading[1])
            if level == 2:
                headings.append((name, heading[2]))
            parts.append(f'<h{level} id="{name}">{inline(heading[2])}</h{level}>')
    return Page(title, tuple(headings), Markup("\n".join(parts)))  # noqa: S704 (escaped above)


def blocks(text: str) -> Iterator[list[str]]:
    """Lines that belong together; a fence holds empty lines, a heading stands alone."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            if not fenced and lines:
                yield lines
                lines = []
            fenced = not fenced
            lines.append(line)
            if not fenced:
                yield lines
                lines = []
        elif fenced:
            lines.append(line)
        elif not line.strip() or _HEADING.fullmatch(line):
            if lines:
                yield lines
            lines = []
            if line.strip():
                yield [line]
        else:
            lines.append(line)
    if lines:
        yield lines


def _block(lines: list[str], title: str) -> str:
    first = lines[0]
    if first.startswith("```"):
        name = escape(first[3:].strip() or title)
        code = escape("\n".join(lines[1:-1]))
        region = f'class="block" tabindex="0" role="region" aria-label="{name}"'
        return f"<pre {region}><code>{code}</code></pre>"
    if first.startswith("|"):
        return _table(lines)
    if ITEM.match(first):
        return _list(lines)
    return f"<p>{inline(' '.join(lines))}</p>"


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        mark = ITEM.match(line)
        if mark is not None:
            items.append(line[mark.end() :])
        else:
            items[-1] += " " + line.strip()
    tag = _TAGS.get(lines[0][:2], "ol")
    return f"<{tag}>{''.join(f'<li>{inline(item)}</li>' for item in items)}</{tag}>"


def cells(line: str) -> list[str]:
    """The cells of a table's row."""
    return [cell.strip() for cell in _CELL.findall(line[1:])]


def _table(lines: list[str]) -> str:
    rows = [cells(line) for line in lines]
    head, *body = [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    numbers = {n for n in range(len(head)) if body and all(_NUMBER.fullmatch(r[n]) for r in body)}

    def cell(tag: str, n: int, text: str) -> str:
        kind = ' class="number"' if n in numbers else ""
        scope = {"th": ' scope="col"', "row": ' scope="row"'}.get(tag, "")
        if tag == "td":  # named where rows are stacked, on a telephone
            label = escape(head[n].replace("`", ""))
            return f'<td{kind} data-label="{label}">{inline(text)}</td>'
        return f"<th{scope}{kind}>{inline(text)}</th>"

    top = "".join(cell("th", n, text) for n, text in enumerate(head))
    rest = "".join(
        "<tr>" + "".join(cell("row" if n == 0 else "td", n, t) for n, t in enumerate(row)) + "</tr>"
        for row in body
    )
    label = escape(", ".join(text.replace("`", "") for text in head[:LABEL_CELLS] if text))
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">'
        '<table class="stack dense">'
        f"<thead><tr>{top}</tr></thead><tbody>{rest}</tbody></table></div>"
    )
