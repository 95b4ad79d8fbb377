"""Whatever the rooms say to people is said in the reader's language, and a new sentence is found.

The sources are read for what can be refused, found wrong or answered with a page of errors. A
sentence of them has words in every language, or stands in `never_shown` because no page shows it.
What the catalog refuses is looked at in `tests/web/admin/test_refusals.py`.
"""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from aiohttp import web

import gateway
from gateway.base.errors import CATALOGUE
from gateway.platform.accounts.roles import ROLES
from gateway.platform.mail import Kind
from gateway.platform.organisations import PARTS
from gateway.platform.refusals import Problem
from gateway.proxy.routing.health import STATES
from gateway.proxy.routing.keys import LIMITED, REFUSED
from gateway.web.console import drawing, i18n
from gateway.web.console.meanings import MEANINGS
from gateway.web.console.operator import Operator
from gateway.web.console.refusals import said
from gateway.web.security import _words
from tests.web.never_shown import NEVER_SHOWN

SOURCES = Path(gateway.__file__).parent
OTHERS = [code for code in i18n.LANGUAGES if code != i18n.SOURCE]
WEB = [path for path in sorted((SOURCES / "web").rglob("*.py")) if "api" not in path.parts]
# Rooms whose refusals pages show, and the pages; the catalog has a test of its own.
ROOMS = [
    path
    for path in (
        *sorted((SOURCES / "platform").rglob("*.py")),
        *WEB,
        SOURCES / "proxy/probe.py",
        SOURCES / "base/money.py",
    )
    if "catalog" not in path.parts and path.parent.name != "admin"
] + sorted((SOURCES / "web/console/admin").glob("*.py"))
SMTP = SOURCES / "platform/mail/smtp.py"
FINDERS = ("platform/audit.py", "platform/ledger/reconcile.py", "platform/ledger/agreement.py")
# What stands in the holes of a sentence: a value, a name for what is wrong, a name of a sum.
HOLES = ("'x'", "x", "a reason", "the usage of the hour", "1000 USD")


def texts_of(node: ast.expr, *holes: str) -> str:
    """A sentence of the sources with something for each value in it."""
    parts, filled = getattr(node, "values", [node]), itertools.cycle(holes)
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else next(filled) for part in parts
    )


def calls(path: Path, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        name = getattr(node, "func", None)
        if isinstance(node, ast.Call) and getattr(name, "id", getattr(name, "attr", "")) in names:
            yield node


def has_words(node: ast.expr) -> bool:
    with i18n.speaking(i18n.LANGUAGES["fr"]):
        tried = itertools.product(HOLES, repeat=2)
        return any(not said(texts_of(node, *holes)).english for holes in tried)


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(SOURCES)))
def test_whatever_a_room_refuses_has_words_or_is_never_shown(path: Path) -> None:
    for call in calls(path, "Refusal", "MoneyError", "TransactionConflict"):
        text = texts_of(call.args[0], "'x'")
        assert (text in NEVER_SHOWN) != has_words(call.args[0]), text


def test_what_is_never_shown_is_said_somewhere() -> None:
    said_by_rooms = {
        texts_of(call.args[0], "'x'")
        for path in ROOMS
        for call in calls(path, "Refusal", "MoneyError", "TransactionConflict")
    }
    assert said_by_rooms >= NEVER_SHOWN, NEVER_SHOWN - said_by_rooms


@pytest.mark.parametrize("name", FINDERS)
def test_whatever_a_check_finds_has_words(name: str) -> None:
    path = SOURCES / name
    found = [call.args[0] for call in calls(path, "append", "add") if call.args]
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    found += [node.value for node in tree if isinstance(node, ast.Yield) and node.value]
    sentences = [each for each in found if re.search("[a-z] [a-z]", texts_of(each, ""))]
    assert len(sentences) > 2 and not [ast.unparse(s) for s in sentences if not has_words(s)]


def test_each_sum_that_is_compared_has_words() -> None:
    path = SOURCES / FINDERS[2]
    sums = [
        [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        for call in calls(path, "_compare")
    ]
    with i18n.speaking(i18n.LANGUAGES["fr"]):
        assert sums and not [
            each
            for each, *rows in sums
            if said(f"{each} 1, x says (1,), {(*rows, 'the request log')[0]} None").english
        ]


# --- pages of errors ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", WEB, ids=lambda path: str(path.relative_to(SOURCES)))
def test_a_page_of_errors_says_nothing_past_the_catalogues(path: Path) -> None:
    names = [name for name in dir(web) if name.startswith("HTTP")]
    for call in calls(path, *names):
        for argument in (*call.args, *(each.value for each in call.keywords)):
            if isinstance(argument, ast.Constant | ast.JoinedStr):
                words = texts_of(argument, "x")
                assert words.startswith("/"), f"not spoken: {words}"  # an address to go on to


@pytest.mark.parametrize("code", OTHERS)
def test_every_status_and_every_error_has_words(code: str) -> None:
    translated = i18n.catalogue(code).gettext
    kinds: list[Any] = [web.HTTPClientError, web.HTTPServerError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        if kind.status_code in (-1, None):
            continue
        more = {
            web.HTTPMethodNotAllowed: ("GET", ["POST"]),
            web.HTTPRequestEntityTooLarge: (1, 2),
            web.HTTPUnavailableForLegalReasons: (None,),
        }
        words = _words(kind(*more.get(kind, ())))
        assert translated(words) != words, words
    for name in CATALOGUE:
        assert not name or translated(MEANINGS[name]) != MEANINGS[name], name


# --- codes that templates have words for --------------------------------------------------------


def macro(template: str, name: str) -> Any:
    made = drawing.templates(drawing.Site({}, "", {}, Operator()))
    return getattr(made.get_template(template).module, name)


def mail_errors() -> list[str]:
    """What a letter can fail for; the last is whatever else broke the way to the mail server."""
    found = [texts_of(call.args[0], "550") for call in calls(SMTP, "MailRefused")]
    return [*dict.fromkeys(each for each in found if each != "550"), "TimeoutError"]


@pytest.mark.parametrize("code", OTHERS)
def test_every_code_that_a_page_shows_has_words(code: str) -> None:
    with i18n.speaking(i18n.LANGUAGES[code]):
        for template, name, codes in (
            ("admin/words.html", "role_words", ROLES),
            ("admin/words.html", "breaker_words", STATES),
            ("admin/words.html", "key_words", ("ok", REFUSED, LIMITED)),
            ("organisations/parts.html", "part_words", PARTS),
            ("admin/words.html", "letter_words", get_args(Kind)),
            ("admin/words.html", "mail_error_words", mail_errors()),
        ):
            words = macro(template, name)
            shown = {str(words(each)).strip() for each in codes}
            assert len(shown) == len(codes) and not shown & set(codes), (name, shown)


def problems() -> Iterator[tuple[str, str]]:
    """Field and code of what can be wrong with a form; `x` for a field that is a value."""
    for path in ROOMS:
        for call in calls(path, "Problem"):
            field, code = (texts_of(each, "x") for each in call.args)
            yield field, code


@pytest.mark.parametrize("code", OTHERS)
def test_every_problem_of_a_form_has_words_of_its_own(code: str) -> None:
    found = {each for each in problems() if each[1] not in ("bad", "ended")}  # see the forms' tests
    assert len(found) > 20
    with i18n.speaking(i18n.LANGUAGES[code]):
        words = macro("problems.html", "words")
        nothing = i18n.gettext("This cannot be used.")
        for field, problem in found:
            told = str(words(Problem(field, problem))).strip()
            assert told and told != nothing, (field, problem)
