"""The guides under /docs and the legal texts: complete, and true to the tables behind them."""

import re
from pathlib import Path

import pytest

from gateway.base.config import SETTINGS, load
from gateway.platform.catalog.snapshot import KINDS, POLICIES, QUIRKS
from gateway.platform.pricing.prices import TOKEN_FIELDS
from gateway.platform.pricing.units import PER_MILLION
from gateway.proxy.dialects.endpoints import ENDPOINTS
from gateway.proxy.providers.sandbox.options import TABLE
from gateway.web.console import i18n, legal
from gateway.web.console.drawing import environment
from gateway.web.console.guides import FOLDER, NAMES, read
from gateway.web.console.markdown import inline, render
from tests.fakes.gateway import running

TEMPLATES = FOLDER.parent


def source(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text("utf-8")


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


def test_every_file_is_a_guide_and_every_guide_a_file() -> None:
    assert {file.stem for file in FOLDER.glob("*.md")} == set(NAMES)
    for name in NAMES:
        page = read(name)
        assert page.title and "{{" not in page.html and "```" not in page.html


def test_guides_name_everything_there_is() -> None:
    for setting in SETTINGS:
        assert f"<code>{setting.name}</code>" in read("settings").html
    for option in TABLE:
        assert f"| `{option.name}` |" in source("sandbox") and option.help in source("sandbox")
    for endpoint in ENDPOINTS.values():
        assert endpoint.path in source("endpoints")
    for word in (*KINDS, *TOKEN_FIELDS, *PER_MILLION, *QUIRKS):
        assert word in source("catalog"), word
    for policy in POLICIES:
        assert f"`{policy}`" in source("routing")


async def test_guides_are_pages_in_the_readers_frame(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as gateway:
        for name in NAMES:
            async with gateway.session.get(
                f"{gateway.url}/docs/guides/{name}", headers={"Cookie": "locale=fr"}
            ) as response:
                text = await response.text()
                assert response.status == 200 and '<div lang="en">' in text
                assert '<html lang="fr"' in text and "anglais" in text
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
    found = set(re.findall(r"\d+", re.sub(r"<[^>]*>", " ", shown))) - {"256"}  # AES-256
    assert found <= set(numbers) and found


def test_facts_are_what_the_settings_say() -> None:
    flags = {"accounts.session_days": 3, "cache.max_ttl_s": 7200}
    facts = legal.facts(load(environ={}, flags=flags))
    assert (facts.session_days, facts.cache_hours, facts.notice_days) == (3, 2, 7)
