"""The policy table and what pages say of it: no page states another number than its row."""

import html
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.base.policy import POLICIES, strict
from gateway.platform.catalog.schedule import NOTICE_DAYS
from gateway.platform.keys.short import LIFETIME_US
from gateway.platform.policy import in_force
from gateway.platform.registers.breaches import HOUR_US, NOTICE_US
from gateway.store.secrets import KEY_BYTES
from gateway.web.console import i18n, legal
from gateway.web.console.guides import guide
from gateway.web.console.lifetimes import LIFETIMES, MINUTE_US
from gateway.web.console.public import LEGAL
from tests.fakes.gateway import EMAIL, RunningGateway, running

DAY_S = 24 * 3600
CHOSEN: dict[str, dict[str, Any]] = {
    **{preset: {"policy_preset": preset} for preset in ("strict", *POLICIES)},
    "settings of their own": {
        "policy_preset": "ainexus",
        "accounts_minimum_age": "13",
        "accounts_session_days": 1,
        "accounts_bcrypt_cost": 14,
        "cache_max_ttl_s": 5400,
    },
}


async def read(gateway: RunningGateway, path: str, code: str, token: str = "") -> str:
    cookie = f"locale={code}" + (f"; token={token}" if token else "")
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    async with gateway.session.get(gateway.url + path, headers=headers) as response:
        assert response.status == 200
        text = await response.text()
    assert f'<html lang="{i18n.LANGUAGES[code].tag}"' in text
    return text.partition("<main")[2].partition("</main")[0]


def numbers_of(text: str) -> list[int]:
    """Every number that a reader sees, in order; tags and their attributes are left out."""
    shown = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return [int(found) for found in re.findall(r"\d+", shown)]


def without_version(text: str) -> str:
    """The words of a legal text, without the line of its version and date."""
    head, _, rest = text.partition("</h1><p>")
    assert head and rest
    return rest.partition("</p>")[2]


@pytest.mark.parametrize("chosen", CHOSEN)
async def test_every_number_of_a_legal_text_is_its_rows(tmp_path: Path, chosen: str) -> None:
    """In every language, as often as the text states it, and no other number besides."""
    async with running(tmp_path / "data", **CHOSEN[chosen]) as gateway:
        standing = in_force(gateway.gateway.platform.settings)
        for name in LEGAL:
            wanted = sorted(standing[row].value for row in legal.STATED[name])
            for code in i18n.LANGUAGES:
                text = await read(gateway, f"/legal/{name}", code)
                found = sorted(numbers_of(without_version(text)))
                assert found == wanted, (name, code)
                if name == "cookies":
                    assert len(re.findall(r"<th scope=\"row\"><code>", text)) == strict("cookies")


async def test_the_version_is_the_settings(tmp_path: Path) -> None:
    async with running(tmp_path / "data", accounts_terms_version="4711") as gateway:
        for name in LEGAL:
            for code in i18n.LANGUAGES:
                head = (await read(gateway, f"/legal/{name}", code)).partition("</h1>")[2]
                assert 4711 in numbers_of(head.partition("</p>")[0]), (name, code)


@pytest.mark.parametrize("code", i18n.LANGUAGES)
def test_the_guide_states_the_same(code: str) -> None:
    """What the guide for operators tells of people's numbers, row by row of its tables."""
    with i18n.speaking(i18n.LANGUAGES[code]):
        text = str(guide("people").html)
    rows = re.findall(r"<tr>.*?</tr>", text, re.S)
    numbers = [numbers_of(row) for row in rows]
    [hashed] = [row for row in rows if "bcrypt" in row]
    assert numbers_of(hashed)[0] == strict("bcrypt_cost")  # a "1" may be a language's article
    guesses = {strict("guess_limit"), strict("guess_minutes")}
    assert any(guesses <= set(row) for row in numbers)
    assert [strict("encryption_bits")] in numbers
    [breaches] = [row for row in rows if "tallygate breaches" in row]
    assert numbers_of(breaches) == [strict("breach_hours")]
    assert [strict("price_notice_days")] in numbers
    assert numbers_of(text.rpartition("</table>")[2]) == [strict("price_notice_days")]


async def test_the_register_of_breaches_states_its_hours(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as gateway:
        people = gateway.gateway.platform.people
        await gateway.command("accounts.role", email=EMAIL, role="administrator")
        token = await people.sessions.open(people.accounts.named(EMAIL))
        for code in i18n.LANGUAGES:
            text = await read(gateway, "/admin/breaches", code, token)
            note = text.partition('class="note">')[2].partition("</p>")[0]
            assert numbers_of(note) == [strict("breach_hours")], code


def test_the_software_keeps_what_the_table_says() -> None:
    """The constants that rooms and pages go by, beside their rows."""
    kept = {
        "price_notice_days": NOTICE_DAYS,
        "breach_hours": NOTICE_US // HOUR_US,
        "encryption_bits": KEY_BYTES * 8,
        "languages": len(i18n.LANGUAGES),
        "confirm_hours": LIFETIMES.confirm_hours,
        "reset_minutes": LIFETIMES.reset_minutes,
        "playground_minutes": LIFETIME_US // MINUTE_US,
    }
    assert {name: strict(name) for name in kept} == kept


@pytest.mark.parametrize(("preset", "days", "age"), [("strict", 7, 18), ("ainexus", 30, 18)])
async def test_the_cookie_lives_as_long_as_the_preset_says(
    tmp_path: Path, preset: str, days: int, age: int
) -> None:
    async with running(tmp_path / "data", policy_preset=preset) as gateway:
        platform = gateway.gateway.platform
        account = platform.accounts.named(EMAIL)
        link = await platform.sign_in.create(account)
        async with gateway.session.post(
            f"{gateway.url}/sign-in/{link}",
            headers={"Sec-Fetch-Site": "same-origin"},
            allow_redirects=False,
        ) as response:
            [cookie] = [m for m in response.cookies.values() if m.key == "token"]
            assert cookie["max-age"] == str(days * DAY_S)
        assert platform.people.sign_up.policy.minimum_age == age
        # The server's own end of it, whatever the browser keeps.
        assert platform.people.sessions.lifetime_us == days * DAY_S * 1_000_000


async def test_the_age_asked_for_is_the_presets(tmp_path: Path) -> None:
    for preset, age in (("strict", 18), ("tokenmix", 13)):
        async with running(tmp_path / preset, policy_preset=preset) as gateway:
            assert gateway.gateway.platform.people.sign_up.policy.minimum_age == age
            for code in i18n.LANGUAGES:
                assert age in numbers_of(await read(gateway, "/sign-up", code))


async def test_administrators_see_what_decided_each_number(tmp_path: Path) -> None:
    chosen = {"policy_preset": "ainexus", "accounts_minimum_age": "13"}
    async with running(tmp_path / "data", **chosen) as gateway:
        people = gateway.gateway.platform.people
        await gateway.command("accounts.role", email=EMAIL, role="administrator")
        token = await people.sessions.open(people.accounts.named(EMAIL))
        text = await read(gateway, "/admin/policy", "en", token)
        rows = dict(re.findall(r'<tr id="(\w+)">(.*?)</tr>', text, re.S))
        assert list(rows) == list(in_force(gateway.gateway.platform.settings))
        said = {name: " ".join(re.sub(r"<[^>]*>", " ", row).split()) for name, row in rows.items()}
        assert "13 years looser given here flag 18 years" in said["minimum_age"]
        assert "TokenMix: 13 years (Privacy 12, Terms 2)" in said["minimum_age"]
        assert "30 days looser preset ainexus 7 days" in said["session_days"]
        assert "AI Nexus: 30 days (Privacy 7.1)" in said["session_days"]
        assert "72 hours fixed 72 hours" in said["breach_hours"]
        assert "48 hours fixed – no known policy" in said["confirm_hours"]
        settings = await read(gateway, "/admin/settings", "en", token)
        assert 'href="/admin/policy"' in settings
        assert re.search(r"accounts\.session_days.*?preset.*?<code>ainexus</code>", settings, re.S)
