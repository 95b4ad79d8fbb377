"""The catalogues' build: collects messages, brings catalogues up to date, says what they lack.

`python -m gateway.web.console.messages update | check | compile`. Messages are those of
the templates (pages and mail), sentences marked `spoken(...)`, and what the error catalogue, the
settings, the policy table and the API's operations say of themselves. A message without a
translation, a fuzzy or a stale one, and a translation whose placeholders or plural forms differ
are findings, and so are those of the guides (`guide_findings`): with any, `check` fails.
It is never imported by the running gateway.
"""

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from babel.messages import Catalog
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from gateway.base.config import SETTINGS
from gateway.base.errors import CATALOGUE
from gateway.base.policy import NUMBERS
from gateway.web.api.application import OPERATIONS
from gateway.web.api.openapi import SUMMARIES
from gateway.web.console import guide_findings
from gateway.web.console.i18n import LANGUAGES, ROOM, SOURCE, compile_source

WEB: Final = Path(__file__).parents[1]
TRANSLATED: Final = tuple(code for code in LANGUAGES if code != SOURCE)
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%%|\{\w+\}")
_TAG = re.compile(r"</?[a-z][^>]*>")
_OPTIONS: Any = {
    "trimmed": "true",
    "silent": "false",  # a template that cannot be read is no template without words
    "newstyle_gettext": "true",
    "encoding": "utf-8",
    "extensions": "jinja2.ext.do",
}
_METHODS: Any = [("**.html", "jinja2"), ("**.txt", "jinja2"), ("**.py", "python")]
_KEYWORDS: Any = {"_": None, "gettext": None, "ngettext": (1, 2), "spoken": None}


def collect() -> Catalog:
    """Every message of the sources, without translations."""
    found = Catalog(charset="utf-8")
    options = {"**.html": _OPTIONS, "**.txt": _OPTIONS}
    for _, _, message, _, _ in extract_from_dir(
        WEB, _METHODS, options_map=options, keywords=_KEYWORDS
    ):
        found.add(message)
    for sentence in (*map(words_of, CATALOGUE.values()), *helps(), *meanings(), *summaries()):
        found.add(sentence)
    return found


def words_of(error: type[Exception]) -> str:
    """What a class of the error catalogue says of itself, as one line."""
    return " ".join((error.__doc__ or "").split())


def helps() -> list[str]:
    """What the page of settings says of each."""
    return [setting.help for setting in SETTINGS]


def meanings() -> list[str]:
    """What the page of the policy says of each number."""
    return [number.meaning for number in NUMBERS]


def summaries() -> list[str]:
    """What the API reference says of each operation."""
    return [*(each.summary for each in OPERATIONS), *SUMMARIES.values()]


def path_of(code: str) -> Path:
    """Where the catalogue of a language is."""
    return ROOM / code / "LC_MESSAGES" / "messages.po"


def load(code: str) -> Catalog:
    """The catalogue of a language; an empty one where there is none yet."""
    path = path_of(code)
    if not path.exists():
        return Catalog(locale=str(LANGUAGES[code].locale), charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=str(LANGUAGES[code].locale))


def store(code: str, catalogue: Catalog) -> None:
    """Write a catalogue."""
    path = path_of(code)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written(catalogue))


def written(catalogue: Catalog) -> bytes:
    """A catalogue's file: sorted, without places or what wrote it, so it changes with its words."""
    file = io.BytesIO()
    write_po(
        file,
        catalogue,
        no_location=True,
        omit_header=False,
        sort_output=True,
        ignore_obsolete=True,
        width=100,
    )
    lines = file.getvalue().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b'"Generated-By: '))


def updated(code: str, sources: Catalog) -> Catalog:
    """A language's catalogue with the sources' messages: translations kept, stale ones dropped."""
    before = load(code)
    after = Catalog(
        locale=str(LANGUAGES[code].locale),
        charset="utf-8",
        project="Tallygate",
        creation_date=before.creation_date if path_of(code).exists() else None,
        revision_date=before.revision_date if path_of(code).exists() else None,
    )
    # Which number takes which form stays as the file says: Babel's releases write and count it
    # in other ways, and a form that is new there would have no words.
    after.mime_headers = [("Plural-Forms", before.plural_forms)]
    for message in sources:
        if message.id:
            known = before.get(message.id)
            after.add(message.id, known.string if known is not None else None)
    return after


def findings(code: str, sources: Catalog) -> Iterator[str]:
    """What is wrong with a language's catalogue, a line each."""
    catalogue = load(code)
    for message in catalogue:
        if message.id and message.id not in sources:
            yield f"{code}: stale: {_shown(message)}"
        if message.fuzzy and message.id:
            yield f"{code}: fuzzy: {_shown(message)}"
    for message in sources:
        if not message.id:
            continue
        known = catalogue.get(message.id)
        forms = _forms(known) if known is not None else []
        if known is None or not forms or not all(forms):
            yield f"{code}: missing: {_shown(message)}"
            continue
        if message.pluralizable and len(forms) != catalogue.num_plurals:
            yield f"{code}: {len(forms)} plural forms of {catalogue.num_plurals}: {_shown(message)}"
        wanted = _marks(str(message.id[-1] if isinstance(message.id, tuple) else message.id))
        for form in forms:
            if _marks(form) != wanted and not (message.pluralizable and _marks(form) < wanted):
                yield f"{code}: other placeholders or tags: {_shown(message)}"


def _forms(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, tuple) else [str(message.string)]


def _marks(text: str) -> set[str]:
    return {found.group() for found in _PLACEHOLDER.finditer(text)} | set(_TAG.findall(text))


def _shown(message: Message) -> str:
    return repr(message.id[0] if isinstance(message.id, tuple) else message.id)[:90]


def main(arguments: list[str]) -> int:
    """The command line; 0 when all is well."""
    command = arguments[0] if arguments else "check"
    if command == "compile":
        for code in TRANSLATED:
            path_of(code).with_suffix(".mo").write_bytes(compile_source(path_of(code)))
        return 0
    sources = collect()
    if command == "update":
        for code in TRANSLATED:
            store(code, updated(code, sources))
    lines = [line for code in TRANSLATED for line in findings(code, sources)]
    lines += [line for code in TRANSLATED for line in guide_findings.findings(code)]
    sys.stdout.write("".join(line + "\n" for line in lines[-40:]))
    sys.stdout.write(f"{len(sources)} messages, {len(lines)} findings\n")
    return 1 if lines and command == "check" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
