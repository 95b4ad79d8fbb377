"""Forms of the console that are refused, and pages of errors: each says why in every language."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.base.errors import Overloaded
from gateway.platform.accounts.identities import Person
from gateway.web.console import i18n
from tests.fakes.gateway import RunningGateway, running
from tests.web.admin.test_languages import Reader, english, prose
from tests.web.test_console import OWN, get, post
from tests.web.test_entrance import FORM, PASSWORD, signed_up

FIRMS = "/console/organisations"
KEY = {"name": "made"}
PROFILE = {"company": "x"}
OWNER = {"password": PASSWORD}
REFUSED: list[tuple[str, dict[str, str]]] = [
    ("/console/keys", {"name": ""}),
    ("/console/keys", KEY | {"models": "x" * 300}),
    ("/console/keys", KEY | {"addresses": "300.1.1.1"}),
    ("/console/keys", KEY | {"expires": "2001-01-01"}),
    ("/console/keys", KEY | {"requests_per_minute": "many"}),
    ("/console/keys", KEY | {"day_microusd": "a lot"}),
    ("/console/keys/{ended}", KEY),
    ("/console/keys/{ended}/rotate", {"grace": "1h"}),
    (FIRMS, {"name": ""}),
    (FIRMS, {"name": "https://a.example"}),
    (FIRMS + "/{firm}", {"name": ""}),
    (FIRMS + "/{firm}/invitations", {"email": "nobody", "part": "member"}),
    (FIRMS + "/{firm}/invitations", {"email": FORM["email"], "part": "member"}),
    (FIRMS + "/{firm}/invitations", {"email": "b@a.example", "part": "king"}),
    (FIRMS + "/{firm}/invitations", {"email": "b@a.example", "part": "member", "limit": "x"}),
    (FIRMS + "/{firm}/members/{self}", {"part": "king"}),
    (FIRMS + "/{firm}/members/{self}", {"part": "owner", "limit": "-1"}),
    (FIRMS + "/{firm}/members/{self}/remove", {"confirm": FORM["email"]}),
    (FIRMS + "/{firm}/members/{self}/remove", {"confirm": "another"}),
    (FIRMS + "/{firm}/invitations/none/withdraw", {}),
    (FIRMS + "/{firm}/transfer", {"member": "{self}", "confirm": "another"}),
    (FIRMS + "/{firm}/transfer", {"member": "{self}", "confirm": "Firm"}),
    (FIRMS + "/{firm}/leave", {"confirm": "another"}),
    (FIRMS + "/{firm}/leave", {"confirm": "Firm"}),
    ("/console/keys/{living}/revoke", {"confirm": "another"}),
    ("/console/keys/{living}/leaked", {"confirm": ""}),
    ("/settings/recovery-codes", {"confirm": "yes", "password": "wrong"}),
    (FIRMS + "/{theirs}", {"name": "Mine"}),
    (FIRMS + "/{theirs}/invitations", {"email": "b@a.example", "part": "member"}),
    ("/console/invitations/none/accept", {}),
    ("/console/invitations/none/decline", {}),
    ("/settings/profile", PROFILE | {"language": "tlh"}),
    ("/settings/profile", PROFILE | {"time_zone": "Mars/Olympus"}),
    ("/settings/profile", PROFILE | {"company": "x" * 5_000}),
    ("/settings/profile", PROFILE | {"company": "a\x07b"}),
    ("/settings/address", {"email": "nobody", **OWNER}),
    ("/settings/address", {"email": "b@a.example", "password": "wrong"}),
    ("/settings/password", OWNER | {"new_password": "short"}),
    ("/settings/password", OWNER | {"new_password": "x" * 300}),
    ("/settings/password", OWNER | {"new_password": FORM["email"]}),
    ("/settings/totp", {"password": "wrong"}),
    ("/settings/passkeys", OWNER | {"answer": "{}"}),
    ("/settings/identities/github/remove", {"confirm": "yes", "password": "wrong"}),
]
BEFORE: list[tuple[str, dict[str, str]]] = [  # by nobody in particular
    ("/sign-up", FORM | {"email": "nobody"}),
    ("/sign-up", FORM | {"password": "short"}),
    ("/sign-up", {key: FORM[key] for key in ("email", "password", "age")}),
    ("/sign-up", {key: FORM[key] for key in ("email", "password", "terms")}),
    ("/sign-up", FORM | {"born": "2025"}),
    ("/confirm/none", OWNER),
    ("/sign-in", FORM | {"password": "wrong"}),
    ("/sign-in/link", {"link": "none"}),
    ("/reset/none", OWNER),
    ("/settings/address/none", {}),
]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        one.gateway.platform.people.passwords.cost = 4
        yield one


@pytest.fixture(params=i18n.LANGUAGES)
async def reader(gateway: RunningGateway, request: pytest.FixtureRequest) -> Reader:
    return Reader(gateway, await signed_up(gateway), request.param)


async def things(reader: Reader) -> dict[str, str]:
    """What stands in braces: somebody's key, their organisation, one they are a member of."""
    platform = reader.gateway.gateway.platform
    me = platform.accounts.named(FORM["email"])
    key = await platform.keys.issue(me, "ended")
    await platform.keys.revoke(key.id, me)
    living = await platform.keys.issue(me, "living")
    firm = await platform.organisations.found(me, "Firm")
    boss = await platform.accounts.create("boss@a.example")
    theirs = await platform.organisations.found(boss, "Theirs")
    await platform.organisations.put(None, theirs, me, "member", None)
    await platform.people.identities.link(me, Person("github", "7", FORM["email"]))
    found = {"{ended}": key.id, "{living}": living.id}
    return found | {"{firm}": firm.id, "{theirs}": theirs.id, "{self}": me.id}


def told(reader: Reader, text: str, what: Any) -> list[str]:
    """What a page says is wrong, and that it says so in its reader's language."""
    found = re.findall(r'<p class="problem"([^>]*)>(.*?)</p>', text, re.S)
    shown = [(each, prose(why)) for each, why in found if "hidden" not in each]
    assert shown, what
    for attributes, why in shown:
        assert "lang=" not in attributes, (what, why)
        assert why and (reader.code == i18n.SOURCE or not english(why)), (what, why)
    return [why for _, why in shown]


async def test_a_refused_form_says_why_in_the_readers_language(reader: Reader) -> None:
    named = await things(reader)

    def filled(text: str) -> str:
        for name, value in named.items():
            text = text.replace(name, value)
        return text

    for path, form in REFUSED:
        fields = {name: filled(value) for name, value in form.items()}
        sent = await post(reader.gateway, filled(path), fields, **reader.cookie, **OWN)
        assert sent[0].status in (403, 409, 422), (path, form, sent[0].status)
        told(reader, sent[1], (path, form))
    for path, form in BEFORE:
        cookie = {"Cookie": f"locale={reader.code}"}
        sent = await post(reader.gateway, path, form, **cookie, **OWN)
        assert sent[0].status in (403, 422), (path, form, sent[0].status)
        told(reader, sent[1], (path, form))


async def test_whoever_tries_too_often_is_told_so(reader: Reader) -> None:
    cookie = {"Cookie": f"locale={reader.code}"}
    while True:
        wrong = FORM | {"password": "wrong"}
        response, text = await post(reader.gateway, "/sign-in", wrong, **cookie, **OWN)
        told(reader, text, response.status)
        if response.status == 429:
            break


async def test_a_page_of_errors_is_in_the_readers_language(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy() -> None:
        raise Overloaded(retry_after_s=7)

    monkeypatch.setattr(reader.gateway.gateway.platform.people.passwords, "check_room", busy)
    name = next(iter(await things(reader)))
    cookie, foreign = reader.cookie, {"Sec-Fetch-Site": "cross-site"}
    tried = [
        (404, await get(reader.gateway, "/nowhere", **cookie)),
        (404, await get(reader.gateway, f"/console/keys/{name}", **cookie)),
        (403, await get(reader.gateway, "/admin", **cookie)),
        (400, await get(reader.gateway, "/", Host="user@h", **cookie)),
        (403, await post(reader.gateway, "/sign-out", {}, **cookie, **foreign)),
        (413, await post(reader.gateway, "/sign-in", {"email": "x" * 20_000}, **cookie, **OWN)),
        (405, await post(reader.gateway, "/status", {}, **cookie, **OWN)),
        (503, await post(reader.gateway, "/sign-in", FORM, **cookie, **OWN)),
    ]
    for status, (response, text) in tried:
        assert response.status == status, (response.url, response.status)
        [main] = re.findall(r"<main.*?</main>", text, re.S)
        assert "lang=" not in main and re.search(r"<p>\S", main), main
        assert reader.code == i18n.SOURCE or not english(prose(main)), main
    assert tried[-1][1][0].headers["Retry-After"] == "7"
