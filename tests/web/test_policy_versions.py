"""Versions of the legal texts as people meet them: noted, announced everywhere, never as minor."""

import html
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.base.telemetry import Metrics
from gateway.platform.refusals import Refusal
from gateway.web.console import i18n, legal
from gateway.web.console.letters import Letters
from gateway.web.console.public import LEGAL
from gateway.workers import policy_versions
from tests.fakes.gateway import EMAIL, RunningGateway, running
from tests.fakes.upstream import FakeUpstream

DAY_US = 86_400 * 1_000_000


async def page(gateway: RunningGateway, path: str, code: str = "en", token: str = "") -> str:
    cookie = f"locale={code}" + (f"; token={token}" if token else "")
    async with gateway.session.get(gateway.url + path, headers={"Cookie": cookie}) as response:
        assert response.status == 200
        return html.unescape(await response.text())


async def staff(gateway: RunningGateway) -> str:
    people = gateway.gateway.platform.people
    await gateway.command("accounts.role", email=EMAIL, role="administrator")
    return await people.sessions.open(people.accounts.named(EMAIL))


def day(gateway: RunningGateway, days: int) -> tuple[str, int]:
    """A day's beginning so many days ahead: as it is written, and its time."""
    now_us = gateway.gateway.platform.clock.now_us()
    at_us = (now_us // DAY_US + days) * DAY_US
    return datetime.fromtimestamp(at_us // 10**6, UTC).strftime("%Y-%m-%d"), at_us


async def tick(gateway: RunningGateway) -> None:
    await policy_versions(gateway.gateway.platform, Metrics())


async def test_the_first_version_is_noted_and_dated(tmp_path: Path) -> None:
    async with running(tmp_path / "data", accounts_terms_version="7") as one:
        await tick(one)
        versions = one.gateway.platform.versions
        current = versions.current()
        assert current is not None and current.name == "7" and len(versions.all) == 1
        for name in LEGAL:
            text = await page(one, f"/legal/{name}")
            assert "Version 7" in text and "In effect since" in text
            assert "takes effect on" not in text
        assert one.gateway.platform.people.sign_up.policy.terms_version == "7"
    # Another name in the settings is no other version: it must be announced.
    async with running(tmp_path / "data", accounts_terms_version="8", credit_usd="0") as one:
        await tick(one)
        assert "Version 7" in await page(one, "/legal/terms")
        assert one.gateway.platform.people.sign_up.policy.terms_version == "7"
        assert "version 7" in re.sub(r"<[^>]*>", "", await page(one, "/sign-up"))


async def test_an_announced_version_is_told_everywhere_and_holds_nowhere(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as one:
        await tick(one)
        token = await staff(one)
        written, at_us = day(one, 32)
        numbers = {"session_days": 30, "minimum_age": 13}
        words = "Sign-ins last for thirty days <b>."
        given = {"name": "zz-2", "effective": written, "words": words, "numbers": numbers}
        made = await one.command("policy.announce", **given)
        assert made["classes"] == ["retention", "rights"] and not made["in_force"]
        await tick(one)
        for code in i18n.LANGUAGES:
            with i18n.speaking(i18n.LANGUAGES[code]):
                when = i18n.day(at_us)
                ages = [i18n.lasting(years, "years") for years in (18, 13)]
            for path in ("/", "/legal/terms", "/legal/privacy", "/console", "/console/keys"):
                text = await page(one, path, code, token)
                assert "zz-2" in text and when in text, (path, code)
            for shown in (" → ".join(ages), words):
                assert shown in await page(one, "/legal/terms", code), code
        assert "zz-2" not in await page(one, "/models")
        terms = await page(one, "/legal/terms")
        assert "You are at least 18 years old" in terms and "Version 1" in terms
        letters = await one.gateway.platform.people.mail.undelivered()
        [mine] = [each.letter for each in letters if each.letter.to == EMAIL]
        text = Letters("https://gate.example").write(mine).text
        assert mine.kind == "policy_change" and words in text
        assert "https://gate.example/legal/terms" in text


async def test_a_new_third_party_cannot_be_a_minor_change(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as one, FakeUpstream() as upstream:
        await tick(one)
        token = await staff(one)
        said = "What the texts say now is not what the version in force says."
        assert said not in await page(one, "/admin/policy", "en", token)
        other = (
            '[[providers]]\nname = "new"\nkind = "openai"\n'
            f'base_url = "http://127.0.0.1:{upstream.port}/v1"\napi_key = "k"\n'
            "allow_private_address = true\n"
        )
        await one.command("catalog.apply", toml=other)
        text = await page(one, "/admin/policy", "en", token)
        assert said in text and "who receives data" in text
        soon = {"name": "2", "effective": day(one, 2)[0], "words": "One provider more."}
        with pytest.raises(Refusal, match=r"a material change \(parties\) takes effect on"):
            await one.command("policy.announce", **soon)
        late = await one.command("policy.announce", **soon | {"effective": day(one, 31)[0]})
        assert late["new_parties"] == ["127.0.0.1"]
        rows = await page(one, "/admin/policy", "en", token)
        assert "in force" in rows and "announced" in rows and "not yet" in rows


def test_every_part_of_the_texts_has_a_digest() -> None:
    """A heading that is new in the text on privacy would count as rights; those there are named."""
    assert set(legal.digests()) == {"data", "purposes", "parties", "retention", "rights"}
    assert len(set(legal.digests().values())) == 5
