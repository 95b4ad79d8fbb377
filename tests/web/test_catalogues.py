"""Six languages: nothing missing, fuzzy or stale; no word outside the catalogues; formats."""

import re
from pathlib import Path

import pytest

from gateway.platform.mail import Letter
from gateway.web.console import i18n, messages
from gateway.web.console.letters import Letters

TEMPLATES = Path(messages.__file__).parent / "templates"
# Words that are the same in every language: names, and what a program reads.
NAMES = {
    *("Tallygate", "UTC", "OpenAPI", "OpenAI", "Anthropic", "Gemini", "Chat", "Completions"),
    *("Responses", "Messages", "curl", "Python", "JavaScript", "Esc", "JSON", "CSV", "API"),
    *("Base", "URL", "TTFT", "SSE", "Google", "GitHub", "id", "ID", "IP", "ms", "USD"),
}


@pytest.fixture(scope="module")
def sources() -> object:
    return messages.collect()


@pytest.mark.parametrize("code", messages.TRANSLATED)
def test_a_catalogue_is_complete_and_fresh(code: str, sources: object) -> None:
    found = list(messages.findings(code, sources))  # type: ignore[arg-type]
    assert not found, f"{len(found)}; run `make catalogues` and translate:\n" + "\n".join(
        found[:20]
    )


@pytest.mark.parametrize("code", messages.TRANSLATED)
def test_bringing_a_catalogue_up_to_date_changes_nothing(code: str, sources: object) -> None:
    after = messages.written(messages.updated(code, sources))  # type: ignore[arg-type]
    assert after.decode() == messages.path_of(code).read_text("utf-8")


@pytest.mark.parametrize("code", messages.TRANSLATED)
def test_every_number_takes_the_form_that_the_language_has_for_it(code: str) -> None:
    plural, language = i18n.catalogue(code).plural, i18n.LANGUAGES[code]  # type: ignore[attr-defined]
    numbers = [*range(1, 1_000), *range(1_001, 2_000), 999_999]
    pairs = {(language.locale.plural_form(number), plural(number)) for number in numbers}
    assert len({tag for tag, _ in pairs}) == len(pairs)
    assert {form for _, form in pairs} == set(range(messages.load(code).num_plurals))


def test_french_marks_never_begin_a_line() -> None:
    """Before ; : ? ! and within guillemets stands a space that does not break."""
    for message in messages.load("fr"):
        for text in message.string if isinstance(message.string, tuple) else (message.string,):
            assert not message.id or not re.search(r" [;:?!»](?=\W|$)|« ", text), text


def test_a_lack_is_found(sources: object, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = messages.load("fr")
    catalogue.add("A message of no source", "Un message")
    catalogue.add("%(count)s model", "%(number)s modèle")
    catalogue.delete("Keyboard")
    monkeypatch.setattr(messages, "load", lambda code: catalogue)
    found = "\n".join(messages.findings("fr", sources))  # type: ignore[arg-type]
    assert "stale: 'A message of no source'" in found and "missing: 'Keyboard'" in found


def _prose(template: Path) -> str:
    """What of a template is neither markup, code nor taken from a catalogue."""
    text = template.read_text("utf-8")
    for pattern in (
        r"\{#.*?#\}",
        r"\{% trans.*?\{% endtrans %\}",
        r"\{\{.*?\}\}",
        r"\{%.*?%\}",
        r"<(pre|code|kbd|script|style)\b.*?</\1>",
    ):
        text = re.sub(pattern, " ", text, flags=re.S)
    spoken = re.findall(r'(?:data-label|aria-label|title|alt)="([^"]*)"', text)
    return " ".join([re.sub(r"<[^>]*>", " ", text, flags=re.S), *spoken])


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_a_template_says_nothing_past_the_catalogues(template: Path) -> None:
    if template.name in ("samples.html", "problems.html"):  # programs; attributes made by a macro
        return
    words = set(re.findall(r"(?<![\w&/.-])[A-Za-z]{2,}(?![\w=;])", _prose(template)))
    assert words <= NAMES | {"good", "warn", "bad"}, words - NAMES


def test_the_browsers_wish_and_the_cookie_decide() -> None:
    assert i18n.negotiate("", "fr-CA,fr;q=0.9,en;q=0.8").code == "fr"
    assert i18n.negotiate("", "de, en;q=0.5, ru;q=0.7").code == "ru"
    assert i18n.negotiate("ja", "fr").code == "ja"
    for header in ("", "*", "de", "fr;q=0", "fr;q=x", ";;;,,,", "x" * 10_000):
        assert i18n.negotiate("xx", header).code == "en"


@pytest.mark.parametrize(
    ("code", "money", "number", "duration"),
    [
        ("en", "$1,234.50", "1,234,567", "1.5 sec"),
        ("zh", "US$1,234.50", "1,234,567", "1.5秒"),
        ("ja", "$1,234.50", "1,234,567", "1.5 秒"),
        ("vi", "1.234,50 US$", "1.234.567", "1,5 giây"),
        ("fr", "1 234,50 $US", "1 234 567", "1,5 s"),
        ("ru", "1 234,50 $", "1 234 567", "1,5 с"),
    ],
)
def test_figures_are_written_as_the_language_writes_them(
    code: str, money: str, number: str, duration: str
) -> None:
    def plain(text: str) -> str:
        return re.sub(r"[\u00a0\u202f]", " ", text)

    with i18n.speaking(i18n.LANGUAGES[code]):
        assert plain(i18n.money(1_234_500_000)) == money
        assert plain(i18n.number(1_234_567)) == number
        assert plain(i18n.duration(1_500)) == duration


@pytest.mark.parametrize("code", i18n.LANGUAGES)
def test_nothing_ends_with_a_point_that_a_full_stop_would_double(code: str) -> None:
    with i18n.speaking(i18n.LANGUAGES[code]):
        written = [i18n.money(1_500_000), i18n.usd(1), i18n.price(5), i18n.percent(0.5)]
        written += [write(1_700_000_000_000_000) for write in (i18n.day, i18n.moment)]
        written += [i18n.duration(value_ms) for value_ms in (5, 1_500, 120_000, 7_200_000)]
        written += [i18n.size(count) for count in (5, 5 << 10, 5 << 20, 5 << 30)]
        assert not [text for text in written if text.endswith((".", " ", " "))]


def test_money_is_exact_and_no_share_is_rounded_up_to_all() -> None:
    assert i18n.money(1) == "$0.000001" and i18n.money(-1_500_000) == "-$1.50"
    assert i18n.usd(9_999_505) == "9.999505" and i18n.price(100_000) == "$0.10"
    assert i18n.percent(0.99999) == "99.9%" and i18n.percent(1.0) == "100%"


def test_letters_are_written_in_their_readers_language() -> None:
    letters = Letters("https://h.example/")
    written = letters.write(Letter("reset", "a@b.example", locale="fr", token="t"))
    assert "mot de passe" in written.subject and "https://h.example/reset/t" in written.text
    values = {"agent": "curl/8", "at_us": 1_700_000_000_000_000}
    written = letters.write(Letter("new_device", "a@b.example", locale="ru", values=values))
    assert "14 нояб. 2023" in written.text and "Здравствуйте" in written.text
