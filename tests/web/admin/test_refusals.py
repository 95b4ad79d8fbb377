"""Refusals on the administration's pages: in the reader's language, and said by some room."""

import ast
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway
from gateway.platform.catalog.document import parse
from gateway.platform.catalog.reader import CatalogError
from gateway.platform.refusals import Refusal
from gateway.web.console import i18n
from gateway.web.console.refusals import SENTENCES, VALUE, said
from tests.platform.catalog.test_document import ERRORS

SOURCES = Path(gateway.__file__).parent


def test_every_sentence_is_said_by_a_room() -> None:
    here = ("refusals.py", "catalog_refusals.py", "report_findings.py")
    files = [
        path
        for path in SOURCES.rglob("*.py")
        if not (path.parent.name == "console" and path.name in here)
        and "dialects" not in path.parts
    ]
    text = " ".join(path.read_text("utf-8") for path in files)
    text = re.sub(r"""(["'])\s+f?\1""", "", text)  # a sentence over several lines
    for sentence in SENTENCES:
        longest = max(VALUE.sub("\0", sentence).split("\0"), key=len)
        assert longest.strip("; :") in text, sentence


@pytest.mark.parametrize("code", i18n.LANGUAGES)
def test_it_is_said_in_the_readers_language(code: str) -> None:
    with i18n.speaking(i18n.LANGUAGES[code]):
        told = said("the account a@b.example exists already")
        assert "a@b.example" in told.text and not told.english
        assert ("exists already" in told.text) == (code == "en")
        assert said("no such thing as 100% of it") == ("no such thing as 100% of it", code != "en")


def test_values_stay_as_they_are() -> None:
    with i18n.speaking(i18n.LANGUAGES["ru"]):
        assert "'50% <b>'" in said(str(Refusal("not an e-mail address: '50% <b>'"))).text


# What may stand in the holes of a sentence: a quoted name, a key, a number, schemes, where it is, a
# hint, what is wrong, what Python says.
HOLES = (
    *("'x'", "x", "1", "http:// or x", "the form", "; known: none", "must be a table"),
    "x (at line 1, column 2)",
)
RAISED = ("CatalogError", "Refusal", "ValueError", "fail")


def _raised(path: Path) -> Iterator[list[str | None]]:
    """The sentences a file of the catalog can refuse with; None for each hole in one."""
    tree = ast.parse(path.read_text("utf-8"))
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if function.name in ("read_file", "fail"):  # of files, for the command line; `where`
            continue
        for call in ast.walk(function):
            name = getattr(call, "func", None)
            called = getattr(name, "id", getattr(name, "attr", ""))
            if isinstance(call, ast.Call) and called in RAISED:
                parts = getattr(call.args[0], "values", [call.args[0]])
                texts = [part.value if isinstance(part, ast.Constant) else None for part in parts]
                if any(text and re.search("[a-z]", text) for text in texts):
                    yield texts


@pytest.mark.parametrize("path", sorted((SOURCES / "platform/catalog").glob("*.py")), ids=str)
def test_whatever_the_catalog_refuses_has_words(path: Path) -> None:
    at = "base_url " if path.name == "address.py" else ""
    with i18n.speaking(i18n.LANGUAGES["fr"]):
        for texts in _raised(path):
            holes = [n for n, text in enumerate(texts) if text is None]
            tried = itertools.product(HOLES, repeat=len(holes))
            filled = (
                {**dict(enumerate(texts)), **dict(zip(holes, one, strict=True))} for one in tried
            )
            assert any(
                not said(at + "".join(map(str, each.values()))).english for each in filled
            ), texts


@pytest.mark.parametrize("code", i18n.LANGUAGES)
def test_every_error_of_a_document_is_said_in_the_readers_language(code: str) -> None:
    with i18n.speaking(i18n.LANGUAGES[code]):
        for text, _ in ERRORS:
            with pytest.raises(CatalogError) as caught:
                parse(text, "the form")
            told = said(str(caught.value))
            assert not told.english, told.text


@pytest.mark.parametrize("piece", ["; did you mean 'x'?", "'; known: x", "model 'x': ", "\\'"])
def test_a_name_full_of_our_own_words_stays_a_name(piece: str) -> None:
    name = piece * (12_000 // len(piece))
    with pytest.raises(CatalogError) as caught:
        parse(f"[[models]]\n{json.dumps(name)} = 1", "the form")
    with i18n.speaking(i18n.LANGUAGES["fr"]):
        told = said(str(caught.value))
    text = told.text.replace("\N{NO-BREAK SPACE}", " ")
    assert not told.english and text.startswith("Formulaire : modèle 1 : champ inconnu")
