"""The guides under /docs and the legal texts: complete, and true to the tables behind them."""

import html
import re
from pathlib import Path

import pytest

from gateway.base.config import SETTINGS, load
from gateway.platform.catalog.snapshot import KINDS, POLICIES, QUIRKS
from gateway.platform.pricing.prices import TOKEN_FIELDS
from gateway.platform.pricing.units import PER_MILLION
from gateway.proxy.dialects.endpoints import ENDPOINTS
from gateway.proxy.providers.sandbox.options import TABLE
from gateway.web.console import guide_findings, i18n, legal
from gateway.web.console.drawing import TEMPLATES, environment
from gateway.web.console.guide_findings import differences
from gateway.web.console.guides import FOLDER, NAMES, guide, text_of
from gateway.web.console.markdown import blocks, inline, render
from tests.fakes.gateway import running

TRANSLATED = tuple(code for code in i18n.LANGUAGES if code != i18n.SOURCE)
TEXT = (
    "# Title\n\n## Part one\n\nOne `a` and **two** [here](/x).\n\n- `b`\n  more\n- c\n\n"
    "| a | b |\n|---|---|\n| `c` | d |\n\n```sh\nrun --x   # what for\n```\n"
)


def test_markdown_becomes_html_and_stays_text() -> None:
    page = render(
        "# A <title>\n\nOne `a|<b>` and\n**two** [here](/x) [not](javascript:x).\n\n"
        "## Part one\n\n- first\n  goes on\n- second\n\n1. one\n\n"
        '```toml\na = "<x>"\n\nb = 1\n```\n\n| name | n |\n|---|---|\n| `a` | 3 |\n'
    )
    assert page.title == "A <title>" and page.headings == (("part-one", "Part one"),)
    assert '<h2 id="part-one">Part one</h2>' in page.html
    assert "<code>a|&lt;b&gt;</code> and <strong>two</strong>" in page.html
    assert '<a href="/x">here</a> [not](javascript:x).' in page.html
    assert "<ul><li>first goes on</li><li>second</li></ul>" in page.html
    assert "<ol><li>one</li></ol>" in page.html
    assert "<code>a = &#34;&lt;x&gt;&#34;\n\nb = 1</code>" in page.html
    assert (
        '<th scope="row"><code>a</code></th><td class="number" data-label="n">3</td>' in page.html
    )
    assert "<script>" not in inline("<script> `<script>`")


def test_places_have_the_names_they_are_given() -> None:
    page = render("# T\n\n## Première partie\n\n### Suite\n", ["part-one", "more"])
    assert page.headings == (("part-one", "Première partie"),)
    assert '<h3 id="more">Suite</h3>' in page.html


@pytest.mark.parametrize("code", i18n.LANGUAGES)
def test_every_file_is_a_guide_and_every_guide_a_file(code: str) -> None:
    assert {file.stem for file in (FOLDER / code).iterdir()} == set(NAMES)
    titles = set()
    with i18n.speaking(i18n.LANGUAGES[code]):
        for name in NAMES:
            page = guide(name)
            titles.add(page.title)
            assert "{{" not in page.html and "```" not in page.html and "&lt;!--" not in page.html
    assert len(titles) == len(NAMES) and "" not in titles


@pytest.mark.parametrize("code", TRANSLATED)
def test_translations_are_whole_and_of_the_english_text_of_now(code: str) -> None:
    assert list(guide_findings.findings(code)) == []
    with i18n.speaking(i18n.LANGUAGES[code]):
        settings = guide("settings").html
        assert i18n.gettext(SETTINGS[0].help) in settings and SETTINGS[0].help not in settings
    for name in NAMES:
        assert not prose(text_of(name)) & prose(text_of(name, code))


def prose(text: str) -> set[str]:
    """The longer paragraphs and lists of a guide, without their code."""
    plain = (re.sub(r"`[^`]*`", "", " ".join(lines)) for lines in blocks(text))
    return {each for each in plain if len(each) > 60 and not each.startswith(("|", " "))}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("`a`", "`b`"),
        ("(/x)", "(/y)"),
        ("**two**", "two"),
        ("run --x", "run --y"),
        ("\n- c", ""),
        ("| `c` | d |", "| `c` |"),
        ("## Part", "### Part"),
        ("```sh\nrun --x   # what for\n```\n", ""),
    ],
)
def test_a_translation_of_another_shape_is_found(before: str, after: str) -> None:
    assert list(differences(TEXT, TEXT.replace("# what for", "# pour cela"))) == []
    assert list(differences(TEXT, TEXT.replace("Part one", "Partie").replace("more", "mais"))) == []
    assert before in TEXT and list(differences(TEXT, TEXT.replace(before, after)))


def test_missing_stale_and_left_over_guides_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("guides", "guide_findings"):
        monkeypatch.setattr(f"gateway.web.console.{module}.FOLDER", tmp_path)
    for code in ("en", "fr"):
        (tmp_path / code).mkdir()
        for name in NAMES:
            (tmp_path / code / f"{name}.md").write_text(TEXT, "utf-8")
    for name in NAMES:
        head = f"<!-- sha256 of the English file: {guide_findings.digest(name)} -->\n"
        (tmp_path / "fr" / f"{name}.md").write_text(head + TEXT, "utf-8")
    assert list(guide_findings.findings("fr")) == []
    (tmp_path / "fr" / "limits.md").unlink()
    (tmp_path / "fr" / "old.md").write_text("", "utf-8")
    (tmp_path / "en" / "cache.md").write_text(TEXT + "\nMore.\n", "utf-8")
    found = "\n".join(guide_findings.findings("fr"))
    assert "fr: limits: missing" in found and "fr: no guide: old.md" in found
    assert "fr: cache: of another English text" in found and "fr: cache: 6 blocks, not 7" in found


def test_guides_name_everything_there_is() -> None:
    for setting in SETTINGS:
        assert f"<code>{setting.name}</code>" in guide("settings").html
    for option in TABLE:
        assert f"| `{option.name}` |" in text_of("sandbox") and option.help in text_of("sandbox")
    for endpoint in ENDPOINTS.values():
        assert endpoint.path in text_of("endpoints")
    for word in (*KINDS, *TOKEN_FIELDS, *PER_MILLION, *QUIRKS):
        assert word in text_of("catalog"), word
    for policy in POLICIES:
        assert f"`{policy}`" in text_of("routing")


async def test_guides_are_pages_in_the_readers_language(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as gateway:
        for code, language in i18n.LANGUAGES.items():
            titles = [text_of(name, code).splitlines()[0].removeprefix("# ") for name in NAMES]
            for name, title in zip(NAMES, titles, strict=True):
                async with gateway.session.get(
                    f"{gateway.url}/docs/guides/{name}", headers={"Cookie": f"locale={code}"}
                ) as response:
                    text = html.unescape(await response.text())
                    assert response.status == 200 and f'<html lang="{language.tag}"' in text
                    assert f"<h1>{title}</h1>" in text and all(f">{t}</a>" in text for t in titles)
                    assert 'lang="en"' not in text.partition("<main")[2].partition("</main")[0]
        async with gateway.session.get(f"{gateway.url}/docs/guides/none") as response:
            assert response.status == 404


@pytest.mark.parametrize("name", ["privacy", "terms", "cookies"])
@pytest.mark.parametrize("code", i18n.LANGUAGES)
def test_no_legal_text_states_a_number_of_its_own(name: str, code: str) -> None:
    """Every fact is given a number that stands nowhere else, and no other is found."""
    numbers = [str(9_000 + n) for n in range(len(legal.Facts._fields) - 2)]
    facts = legal.Facts("9999", 0, *map(int, numbers))
    text = (TEMPLATES / f"public/{name}.html").read_text("utf-8")
    body = text.partition("{% block text %}")[2].partition("{% endblock %}")[0]
    made = environment(TEMPLATES, autoescape=True)
    with i18n.speaking(i18n.LANGUAGES[code]):
        shown = made.from_string(body).render(facts=facts, sources=[])
    found = set(re.findall(r"\d+", re.sub(r"<[^>]*>", " ", shown)))
    assert found <= set(numbers) and found


def test_facts_are_what_the_settings_say() -> None:
    flags = {"accounts.session_days": 3, "cache.max_ttl_s": 7201}
    facts = legal.facts(load(environ={}, flags=flags))
    # Rounded up: an answer is never kept longer than the text says.
    assert (facts.session_days, facts.cache_hours, facts.price_notice_days) == (3, 3, 7)
