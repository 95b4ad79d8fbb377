"""Ages as browsers, guardians, staff and programs meet them."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway.platform.accounts.roles import ROLES, may
from gateway.store.schema.tables import metadata
from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.fakes.sites import CLIENT, FakeSites
from tests.fakes.upstream import FakeUpstream
from tests.web.admin.test_pages import staff
from tests.web.test_console import get, post
from tests.web.test_entrance import FORM, PASSWORD, letter, signed_up
from tests.web.test_oauth import come_back
from tests.web.test_security_settings import Browser

GUARDIAN = {
    "guardian": "yes",
    "guardian_name": "Grace Guardian",
    "guardian_email": "grace@example.com",
}
DAY_US = 86_400 * 10**6


@pytest.fixture
async def gateway(tmp_path: Path, sites: FakeSites) -> AsyncIterator[RunningGateway]:
    upstream = await FakeUpstream().start()
    settings = {"accounts_minimum_age": "13", **CLIENT}
    async with running(tmp_path / "data", upstream, **settings) as one:
        one.gateway.platform.people.passwords.cost = 4
        yield one
    await upstream.stop()


def year(gateway: RunningGateway, age: int) -> str:
    now_us = gateway.gateway.platform.clock.now_us()
    return str(1970 + now_us // (31_556_952 * 10**6) - age)


def minor(gateway: RunningGateway, age: int = 15) -> dict[str, str]:
    return FORM | {"age": "13", "born": year(gateway, age)} | GUARDIAN


async def counts(gateway: RunningGateway) -> dict[str, int]:
    def read(connection):  # type: ignore[no-untyped-def]
        return {
            name: connection.scalar(select(func.count()).select_from(table))
            for name, table in metadata.tables.items()
        }

    return dict(await gateway.gateway.platform.database.read(read))


async def young(gateway: RunningGateway) -> Browser:
    """Somebody not yet 18 who has confirmed their address."""
    response, _ = await post(gateway, "/sign-up", minor(gateway))
    assert response.status == 200
    token = (await letter(gateway, "confirm")).token
    response, _ = await post(gateway, f"/confirm/{token}", {"password": PASSWORD})
    return Browser(gateway, response.cookies["token"].value)


async def key_of(gateway: RunningGateway) -> dict[str, str]:
    made = await gateway.command("keys.create", email="ann@example.com", name="mine")
    await gateway.command("credits.grant", email="ann@example.com", usd="1", reason="test")
    return {"Authorization": f"Bearer {made['key']}"}


async def test_the_form_asks_a_minor_for_a_guardian(gateway: RunningGateway) -> None:
    _, text = await get(gateway, "/sign-up")
    assert re.findall(r'name="age" type="radio" value="(\d+)"', text) == ["18", "13"]
    for name in GUARDIAN:
        assert f'name="{name}"' in text
    for changes, words in (
        ({"guardian": ""}, "Without the consent"),
        ({"guardian_name": ""}, "Enter the name"),
        ({"guardian_email": FORM["email"]}, "your own address"),
        ({"age": ""}, "Confirm your age"),
        ({"born": year(gateway, 30)}, "does not fit"),
    ):
        response, text = await post(gateway, "/sign-up", minor(gateway) | changes)
        assert response.status == 422 and words in text and 'aria-invalid="true"' in text


async def test_under_age_leaves_no_row_by_any_way_in(
    gateway: RunningGateway, sites: FakeSites
) -> None:
    before = await counts(gateway)
    for said in ({"age": "13"}, {"age": "18"}):
        form = minor(gateway, 12) | said
        response, text = await post(gateway, "/sign-up", form)
        assert response.status == 422 and "too young" in text and not response.cookies
    assert await counts(gateway) == before
    one = Browser(gateway, "")
    assert await come_back(one, sites, "google") == (303, "/sign-in/welcome")
    fields = {"terms": "yes", "age": "13", "born": year(gateway, 12), **GUARDIAN}
    status, text = await one.post("/sign-in/welcome", **fields)
    assert status == 403 and "too young" in text and one.token == ""
    assert await counts(gateway) == before


async def test_from_another_site_a_minor_waits_too(
    gateway: RunningGateway, sites: FakeSites
) -> None:
    one = Browser(gateway, "")
    await come_back(one, sites, "google")
    fields = {"terms": "yes", "age": "13", "born": year(gateway, 15), **GUARDIAN}
    assert await one.post("/sign-in/welcome", **fields) == (303, "/console")
    assert "consent is missing" in (await one.get("/console"))[1]
    assert (await letter(gateway, "guardian_asked")).to == GUARDIAN["guardian_email"]


async def test_keys_wait_for_the_guardian_and_stop_when_they_take_it_back(
    gateway: RunningGateway,
) -> None:
    one = await young(gateway)
    auth = await key_of(gateway)
    answer = await gateway.post(chat(), **auth)
    assert (answer.status, answer.code) == (403, "guardian_consent_missing")
    status, text = await one.get("/console")
    assert status == 200 and "consent is missing" in text and "/console/age" in text
    status, text = await one.get("/console/age")
    assert "Grace Guardian" in text and "Send the letter again" in text
    token = (await letter(gateway, "guardian_asked")).token
    response, text = await get(gateway, f"/guardian/{token}")
    assert response.status == 200 and "ann@example.com" in text and "I consent" in text
    assert (await gateway.post(chat(), **auth)).status == 403  # looking is no consent
    assert (await post(gateway, f"/guardian/{token}", {"choice": "x"}))[0].status == 422
    response, text = await post(gateway, f"/guardian/{token}", {"choice": "confirm"})
    assert response.status == 200 and "Another letter" in text
    assert (await gateway.post(chat(), **auth)).status == 200
    assert (await post(gateway, f"/guardian/{token}", {"choice": "withdraw"}))[0].status == 403
    assert (await get(gateway, f"/guardian/{token}"))[0].status == 404
    token = (await letter(gateway, "guardian_confirmed")).token
    assert "Take the consent back" in (await get(gateway, f"/guardian/{token}"))[1]
    await post(gateway, f"/guardian/{token}", {"choice": "withdraw"})
    assert (await gateway.post(chat(), **auth)).code == "guardian_consent_missing"
    assert "took their consent back" in (await one.get("/console/age"))[1]
    assert (await one.post("/console/age/letter"))[0] == 422


async def test_a_letter_is_sent_again_but_not_often(gateway: RunningGateway) -> None:
    one = await young(gateway)
    before = (await letter(gateway, "guardian_asked")).token
    for _ in range(3):
        assert await one.post("/console/age/letter") == (303, "/console/age?sent=1")
    assert (await one.post("/console/age/letter"))[0] == 429
    assert (await get(gateway, f"/guardian/{before}"))[0].status == 404


async def test_a_shared_balance_is_out_of_reach_as_well(gateway: RunningGateway) -> None:
    one = await young(gateway)
    platform = gateway.gateway.platform
    account = platform.accounts.named("ann@example.com")
    boss = platform.accounts.named(EMAIL)
    shared = await platform.organisations.found(boss, "Shared")
    await platform.organisations.put(None, shared, account)
    assert (await one.post("/console/desk", organisation=shared.id))[0] == 303
    _, text = await one.post("/console/playground/key")
    short = re.findall(r'"key": "([^"]+)"', text)[0]
    answer = await gateway.post(chat(), Authorization=f"Bearer {short}")
    assert answer.code == "guardian_consent_missing"
    await platform.people.guardians.confirm((await letter(gateway, "guardian_asked")).token)
    issued = await platform.organisations.issue_key(shared, account, "theirs")
    platform_key = {"Authorization": f"Bearer {issued.text}"}
    await platform.ledger.grant(
        shared.account.no, 10**6, reason="test", transaction_id="grant:shared"
    )
    assert (await gateway.post(chat(), **platform_key)).status == 200
    token = (await letter(gateway, "guardian_confirmed")).token
    await post(gateway, f"/guardian/{token}", {"choice": "withdraw"})
    assert (await gateway.post(chat(), **platform_key)).status == 401


def due(gateway: RunningGateway, days: int) -> str:
    from gateway.web.console.i18n import iso

    return iso(gateway.gateway.platform.clock.now_us() + days * DAY_US)[:10]


async def test_a_proof_of_age_from_asking_to_lifting(gateway: RunningGateway) -> None:
    owner = Browser(gateway, await signed_up_adult(gateway))
    auth = await key_of(gateway)
    boss, helper = await staff(gateway), await staff(gateway, "support")
    id = gateway.gateway.platform.accounts.named("ann@example.com").id
    page = f"/admin/users/{id}"
    status, text = await helper.post(f"{page}/age", reason="", due=due(gateway, 9))
    assert status == 422 and 'role="alert"' in text
    wish = {"reason": "A school's address.", "due": due(gateway, 9)}
    assert await helper.post(f"{page}/age", **wish) == (303, f"{page}/age")
    assert (await boss.post(f"{page}/age", **wish))[0] == 422
    answer = await gateway.post(chat(), **auth)
    assert (answer.status, answer.code) == (403, "proof_of_age_requested")
    assert "A proof of your age" in (await owner.get("/console/keys"))[1]
    status, text = await owner.get("/console/age")
    assert status == 200 and "A school&#39;s address." in text
    assert "A proof of age is asked for" in (await boss.get(page))[1]
    told = await letter(gateway, "age_proof")
    assert told.to == "ann@example.com"
    assert await boss.post(f"{page}/age/lift", given="passport seen") == (303, f"{page}/age")
    assert (await gateway.post(chat(), **auth)).status == 200
    status, text = await boss.get(f"{page}/age")
    assert "passport seen" in text and "support@example.org" in text
    assert "Nothing is asked of you" in (await owner.get("/console/age"))[1]


async def signed_up_adult(gateway: RunningGateway) -> str:
    FORM["age"] = "18"
    try:
        return await signed_up(gateway)
    finally:
        FORM["age"] = "yes"


async def test_who_may_ask_and_who_may_purge(gateway: RunningGateway) -> None:
    await gateway.command("accounts.create", email="kid@example.com")
    id = gateway.gateway.platform.accounts.named("kid@example.com").id
    page = f"/admin/users/{id}"
    for role in ROLES:
        one = await staff(gateway, role)
        status, text = await one.get(page)
        assert status == (200 if may(role, "accounts.read") else 403)
        assert (f"{page}/age" in text) is may(role, "accounts.age"), role
        assert (f"{page}/purge" in text) is may(role, "accounts.erase"), role
        for path, action in (("age", "accounts.age"), ("purge", "accounts.erase")):
            assert (await one.get(f"{page}/{path}"))[0] == (200 if may(role, action) else 403)
    assert [role for role in ROLES if may(role, "accounts.erase")] == ["administrator"]


async def test_nobody_does_it_to_themselves(gateway: RunningGateway) -> None:
    boss = await staff(gateway)
    id = gateway.gateway.platform.accounts.named("administrator@example.org").id
    for path in ("age", "age/lift", "purge"):
        assert (await boss.post(f"/admin/users/{id}/{path}", reason="x"))[0] == 403


async def test_a_purge_is_asked_first_and_done_once(gateway: RunningGateway) -> None:
    one = await young(gateway)
    auth = await key_of(gateway)
    boss, platform = await staff(gateway), gateway.gateway.platform
    account = platform.accounts.named("ann@example.com")
    page = f"/admin/users/{account.id}"
    status, text = await boss.get(f"{page}/purge")
    assert status == 200 and "cannot be undone" in text and "stays owed" in text
    status, text = await boss.post(f"{page}/purge", confirm="ann@example.org")
    assert status == 422 and account.state == "active"
    assert await boss.post(f"{page}/purge", confirm="ann@example.com") == (303, page)
    status, text = await boss.get(page)
    assert status == 200 and "closed for good" in text and "ann@example.com" not in text
    assert f"{page}/purge" not in text and "Give credit" not in text
    assert (await boss.post(f"{page}/activate"))[0] == 422
    assert (await boss.post(f"{page}/role", role="support", confirm="yes"))[0] == 422
    assert (await gateway.post(chat(), **auth)).status == 401
    assert (await one.get("/console"))[0] == 303
    assert (await post(gateway, "/sign-in", FORM))[0].status == 403
    for path in ("/admin/users", "/admin/audit", "/admin/letters", "/admin/requests"):
        status, text = await boss.get(path)
        assert status == 200 and "ann@example.com" not in text and "Grace" not in text, path
    await gateway.assert_nothing_leaked()


async def test_an_organisation_must_be_handed_over_first(gateway: RunningGateway) -> None:
    await young(gateway)
    platform = gateway.gateway.platform
    account = platform.accounts.named("ann@example.com")
    shared = await platform.organisations.found(account, "Robotics club")
    await platform.organisations.put(None, shared, platform.accounts.named(EMAIL))
    boss, page = await staff(gateway), f"/admin/users/{account.id}/purge"
    status, text = await boss.get(page)
    assert status == 422 and "Robotics club" in text and "hand its ownership over first" in text
    assert (await boss.post(page, confirm="ann@example.com"))[0] == 422
    assert account.state == "active"
