"""What a profile says takes effect: language, time zone, name and badge; and that it was saved."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.platform.accounts.profiles import Profile
from gateway.web.console import i18n
from tests.fakes.gateway import EMAIL, RunningGateway, running
from tests.web.browser.sessions import OWN, sign_in

WINTER_US = 1_795_741_201 * 1_000_000  # 2026-11-27 01:00:01 UTC


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


class Visitor:
    """A signed-in browser that asks for French pages and keeps its cookies."""

    def __init__(self, gateway: RunningGateway, token: str) -> None:
        self.gateway = gateway
        self.cookies = {"token": token}

    async def get(self, path: str) -> str:
        wish = {"Accept-Language": "fr"}
        async with self.gateway.session.get(
            self.gateway.url + path, headers=wish, cookies=self.cookies
        ) as response:
            return await response.text()

    async def post(self, path: str, **form: str) -> str:
        url = self.gateway.url + path
        async with self.gateway.session.post(
            url, data=form, headers=OWN, cookies=self.cookies, allow_redirects=False
        ) as response:
            assert response.status == 303, await response.text()
            for name, morsel in response.cookies.items():
                self.cookies[name] = morsel.value
                if not morsel.value:
                    del self.cookies[name]
            return response.headers["Location"]

    async def lang(self, path: str = "/console") -> str:
        found = re.search(r'<html lang="([\w-]+)"', await self.get(path))
        assert found is not None
        return found[1]

    async def profile(self) -> Profile:
        platform = self.gateway.gateway.platform
        return await platform.people.profiles.of(platform.accounts.named(EMAIL))


@pytest.fixture
async def visitor(gateway: RunningGateway) -> AsyncIterator[Visitor]:
    yield Visitor(gateway, await sign_in(gateway))
    gateway.session.cookie_jar.clear()


async def test_pages_are_in_the_language_of_the_profile(visitor: Visitor) -> None:
    assert await visitor.lang() == "fr"
    saved = await visitor.post("/settings/profile", language="ja")
    assert (
        await visitor.lang(saved) == await visitor.lang() == await visitor.lang("/models") == "ja"
    )
    assert "保存しました。" in await visitor.get(saved)
    assert "保存しました。" not in await visitor.get("/settings/profile")
    other = Visitor(visitor.gateway, await sign_in(visitor.gateway))
    assert await other.lang() == "ja"
    other.cookies["locale"] = "vi"
    assert await other.lang() == "vi"
    assert await Visitor(visitor.gateway, "").lang("/models") == "fr"


async def test_a_language_chosen_while_signed_in_is_kept_in_the_profile(visitor: Visitor) -> None:
    await visitor.post("/settings/profile", language="ja", time_zone="Asia/Tokyo")
    await visitor.post("/preferences", locale="ru", back="/console")
    assert visitor.cookies["locale"] == "ru" and await visitor.lang() == "ru"
    kept = await visitor.profile()
    assert (kept.language, kept.time_zone) == ("ru", "Asia/Tokyo")
    # What is saved in the profile is chosen later, so this browser's choice is that, too.
    await visitor.post("/settings/profile", language="zh")
    assert visitor.cookies["locale"] == "zh" and await visitor.lang() == "zh-Hans"
    await visitor.post("/settings/profile", language="")
    assert "locale" not in visitor.cookies and await visitor.lang() == "fr"


async def test_times_are_in_the_zone_of_the_profile(visitor: Visitor) -> None:
    await visitor.post("/settings/profile", language="en")
    plain = await visitor.get("/settings/security")
    assert "Signed in (UTC)" in plain
    exact = r'<time datetime="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"'
    shown = re.findall(exact, plain)
    assert shown and not re.search(r"<time [^>]*title=", plain)
    await visitor.post("/settings/profile", language="en", time_zone="Asia/Kolkata")
    text = await visitor.get("/settings/security")
    assert "Signed in (Kolkata)" in text and "(UTC)" not in text
    assert re.findall(exact, text)[0] == shown[0]
    hours = f"{(int(shown[0][11:13]) + 5 + (int(shown[0][14:16]) >= 30)) % 24:02}"
    assert re.search(rf'{shown[0]}" title="[^"]+ UTC">[^<]+ {hours}:\d\d:\d\d\xa0UTC\+5:30<', text)


@pytest.mark.parametrize(
    ("zone", "moment", "label"),
    [
        ("", "Nov 27, 2026 01:00:01", "Time (UTC)"),
        ("UTC", "Nov 27, 2026 01:00:01", "Time (UTC)"),
        ("Moon/Base", "Nov 27, 2026 01:00:01", "Time (UTC)"),
        ("Asia/Tokyo", "Nov 27, 2026 10:00:01\xa0UTC+9", "Time (Tokyo)"),
        ("America/St_Johns", "Nov 26, 2026 21:30:01\xa0UTC-3:30", "Time (St. John’s)"),
        ("Etc/GMT+5", "Nov 26, 2026 20:00:01\xa0UTC-5", "Time (UTC-5)"),
    ],
)
def test_a_time_says_its_zone(zone: str, moment: str, label: str) -> None:
    with i18n.speaking(i18n.LANGUAGES["en"], zone):
        assert i18n.moment(WINTER_US) == moment
        assert i18n.zoned("Time (UTC)") == label
        assert i18n.stated(WINTER_US) == (moment if "UTC" in moment else f"{moment} UTC")
        assert i18n.instant(WINTER_US).startswith('datetime="2026-11-27T01:00:01Z"')


async def test_name_and_badge_stand_in_the_frame(visitor: Visitor) -> None:
    form = {"display_name": "Ada <b>", "avatar": "🦉", "language": "en"}
    await visitor.post("/settings/profile", **form)
    for path in ("/console", "/models", "/settings/profile"):
        text = await visitor.get(path)
        menu = text[text.index('<span class="avatar"') : text.index('action="/sign-out"')]
        assert "🦉" in menu and "Ada &lt;b&gt;" in menu and EMAIL in menu
    assert f"Ada &lt;b&gt; · {EMAIL}" in await visitor.get("/console")
