"""What the guides' translations lack: `python -m gateway.web.console.guide_findings [CODE...]`.

A translation is whole when it names the English text it says (a digest, in its first line) and has
that text's shape: the same blocks, rows and items, in each the same code, links and marks, and the
same programs but for their comments. So an English guide cannot change without its translations.
It is never imported by the running gateway.
"""

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from gateway.web.console.guides import FOLDER, NAMES, path_of, text_of
from gateway.web.console.i18n import LANGUAGES, SOURCE
from gateway.web.console.markdown import ITEM, blocks, cells

_HEAD: Final = "<!-- sha256 of the English file: {} -->"
_CODE = re.compile(r"`[^`]+`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMENT = re.compile(r"\s*(?:^|\s)#.*$")


class Unit(NamedTuple):
    """What must be the same of a heading, a paragraph, an item, a row or a line of a program."""

    kind: str
    cells: int
    code: tuple[str, ...]
    links: tuple[str, ...]
    bold: int


def findings(code: str) -> Iterator[str]:
    """What is wrong with a language's guides, a line each."""
    for name in NAMES:
        path = path_of(name, code)
        if not path.exists():
            yield f"{code}: {name}: missing"
            continue
        head = path.read_text("utf-8").partition("\n")[0]
        if head != (wanted := _HEAD.format(digest(name))):
            yield f"{code}: {name}: of another English text; read that again, then put {wanted}"
        yield from (
            f"{code}: {name}: {line}" for line in differences(text_of(name), text_of(name, code))
        )
    known = {path_of(name, code) for name in NAMES}
    yield from (f"{code}: no guide: {file.name}" for file in _files(code) if file not in known)


def digest(name: str) -> str:
    """The beginning of the SHA-256 of a guide's English text."""
    return hashlib.sha256(path_of(name, SOURCE).read_bytes()).hexdigest()[:16]


def differences(source: str, translation: str) -> Iterator[str]:
    """Where a translation is of another shape than its source, a line each."""
    pairs = [list(map(units, blocks(text))) for text in (source, translation)]
    if len(pairs[0]) != len(pairs[1]):
        yield f"{len(pairs[1])} blocks, not {len(pairs[0])}"
    for n, (wanted, found) in enumerate(zip(*pairs, strict=False), 1):
        if len(wanted) != len(found):
            yield f"block {n} has {len(found)} parts, not {len(wanted)}"
        for m, (one, other) in enumerate(zip(wanted, found, strict=False), 1):
            for field in Unit._fields:
                if (a := getattr(one, field)) != (b := getattr(other, field)):
                    yield f"block {n}, part {m}: {field} {_only(b, a)}, not {_only(a, b)}"


def units(lines: list[str]) -> list[Unit]:
    """The parts of a block."""
    first = lines[0]
    if first.startswith("```"):
        return [Unit("program", 0, (_COMMENT.sub("", line).rstrip(),), (), 0) for line in lines]
    if first.startswith("|"):
        return [_unit("row", line, len(cells(line))) for line in lines]
    if first.startswith("#"):
        return [_unit(first.partition(" ")[0], first)]
    if ITEM.match(first) is None:
        return [_unit("paragraph", " ".join(lines))]
    items: list[str] = []
    for line in lines:
        if ITEM.match(line):
            items.append(line)
        else:
            items[-1] += " " + line
    return [_unit("item" if item.startswith("- ") else "step", item) for item in items]


def _unit(kind: str, text: str, count: int = 0) -> Unit:
    code = tuple(sorted(_CODE.findall(text)))
    plain = _CODE.sub("", text)
    return Unit(kind, count, code, tuple(sorted(_LINK.findall(plain))), plain.count("**"))


def _only(one: object, other: object) -> object:
    """What one has more often than the other; all of it where it is not a list."""
    if not isinstance(one, tuple) or not isinstance(other, tuple):
        return one
    rest = list(one)
    for each in other:
        if each in rest:
            rest.remove(each)
    return rest


def _files(code: str) -> list[Path]:
    return sorted((FOLDER / code).glob("*"))


def main(codes: list[str]) -> int:
    """The command line; 0 when all is well."""
    chosen = codes or [code for code in LANGUAGES if code != SOURCE]
    lines = [line for code in chosen for line in findings(code)]
    sys.stdout.write("".join(line + "\n" for line in lines))
    sys.stdout.write(f"{len(lines)} findings in the guides\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
