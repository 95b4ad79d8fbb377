"""Organisations under `/admin`: found by plain text, led by staff, given credit, suspended."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.platform.accounts.roles import ROLES, TABLE
from gateway.platform.organisations import Organisation
from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream
from tests.web.admin.test_pages import staff, user
from tests.web.test_console import Page, get
from tests.web.test_security_settings import Browser

PAGE = "/admin/organisations"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    upstream = await FakeUpstream().start()
    try:
        async with running(tmp_path / "data", upstream) as one:
            yield one
    finally:
        await upstream.stop()


@pytest.fixture
async def firm(gateway: RunningGateway) -> Organisation:
    platform = gateway.gateway.platform
    made = await platform.organisations.found(platform.accounts.named(EMAIL), "Öst & Co")
    await gateway.command("credits.grant", email=made.account.email, usd="3", reason="shared")
    return made


async def once(one: Browser, firm: Organisation, which: int = 0) -> str:
    _, text = await one.get(f"{PAGE}/{firm.id}")
    return re.findall(r'name="once" value="(\w+)"', text)[which]


async def test_organisations_are_found_by_name_id_and_member(
    gateway: RunningGateway, firm: Organisation
) -> None:
    one = await staff(gateway, "support")
    for sought in ("öST", firm.id, EMAIL[:9], ""):
        _, text = await one.get(f"{PAGE}?q={sought}")
        assert "Öst &amp; Co" in text and EMAIL in text, sought
    for nothing in ("%25", "_st", "organisation.invalid"):
        assert "No organisation matches" in (await one.get(f"{PAGE}?q={nothing}"))[1], nothing
    _, users = await one.get("/admin/users")
    people = sum(1 for each in gateway.gateway.platform.accounts if each.is_person)
    assert "organisation.invalid" not in users and f"{people} account" in users
    assert (await one.get(f"{PAGE}/acc_nobody"))[0] == 404
    assert (await one.get(f"{PAGE}/{user(gateway)}"))[0] == 404


async def test_the_list_is_paged(gateway: RunningGateway) -> None:
    platform = gateway.gateway.platform
    for number in range(51):
        owner = await platform.accounts.create(f"owner{number}@example.com")
        await platform.organisations.found(owner, f"Firm {number:02}")
    one = await staff(gateway)
    _, first = await one.get(PAGE)
    assert "51 organisations" in first and "Firm 50" in first and "Firm 00" not in first
    older = re.search(r'href="(/admin/organisations\?[^"]*before=\d+)"', first)
    assert older is not None
    _, second = await one.get(older[1].replace("&amp;", "&"))
    assert "Firm 00" in second and "Firm 50" not in second
    assert not re.search(r'href="[^"]*before=', second)


async def test_a_page_shows_each_role_what_it_may_know_and_do(
    gateway: RunningGateway, firm: Organisation
) -> None:
    platform = gateway.gateway.platform
    owner = platform.accounts.named(EMAIL)
    gateway.key = (await platform.organisations.issue_key(firm, owner, "shared key")).text
    assert (await gateway.post(chat())).status == 200
    await gateway.settled()
    await gateway.command("limits.set", email=firm.account.email, requests_per_minute=7)
    for role in ROLES:
        one = await staff(gateway, role)
        response, text = await get(gateway, f"{PAGE}/{firm.id}", **one.cookie)
        may = TABLE[role]
        assert response.status == (200 if "accounts.read" in may else 403), role
        if response.status != 200:
            continue
        assert Page(text).inline == []
        assert EMAIL in text and "Requests a minute" in text
        for words, action in (
            ("Take it back", "credits.request"),
            ("What moved the balance", "credits.read"),
            ("shared key", "keys.read"),
            ("/revoke", "keys.revoke"),
            ("Latest requests", "requests.read"),
            ("/suspend", "accounts.suspend"),
            ("Add a member", "organisations.write"),
        ):
            assert (words in text) is (action in may), (role, words)
    rows = await platform.people.audit.newest(3)  # of the administrator, who came last
    assert {row.target for row in rows} == {firm.id}
    assert [row.action for row in rows] == ["requests.read", "keys.read", "accounts.read"]


async def test_credit_is_given_once_and_taken_back(
    gateway: RunningGateway, firm: Organisation
) -> None:
    one, here = await staff(gateway), f"{PAGE}/{firm.id}"
    form = {"usd": "5", "source": "adjustment", "reason": "invoice 17", "once": ""}
    form["once"] = await once(one, firm)
    for _ in range(2):
        assert await one.post(f"{here}/credit", **form) == (303, here)
    balance = gateway.gateway.platform.ledger.balance
    assert balance(firm.account.no) == 8_000_000
    status, text = await one.post(f"{here}/credit", **(form | {"usd": "-1"}))
    assert status == 422 and 'role="alert"' in text
    back = {"usd": "2", "kind": "revoke", "reason": "wrong", "once": await once(one, firm, 1)}
    status, text = await one.post(f"{here}/credit/back", **back)
    assert status == 200 and "Öst &amp; Co" in text and balance(firm.account.no) == 8_000_000
    back["confirm"] = firm.name
    assert await one.post(f"{here}/credit/back", **back) == (303, here)
    assert balance(firm.account.no) == 6_000_000
    large = form | {"usd": "5000", "once": await once(one, firm)}
    status, where = await one.post(f"{here}/credit", **large)
    assert (status, where) == (303, f"{here}?waits=1")
    assert "A second person must agree" in (await one.get(where))[1]
    _, waiting = await one.get("/admin/adjustments")
    assert "Öst &amp; Co" in waiting and f'href="{here}"' in waiting
    _, ledger = await one.get("/admin/ledger")
    assert f'<a href="{here}">Öst &amp; Co</a>' in ledger
    # The page of a person is not that of an organisation, nor the other way round.
    assert (await get(gateway, f"/admin/users/{firm.id}", **one.cookie))[0].headers[
        "Location"
    ] == here
    for act in ("suspend", "credit", "role", "sessions"):
        assert (await one.post(f"/admin/users/{firm.id}/{act}", **form))[0] == 404, act
    await gateway.assert_nothing_leaked()


async def test_staff_lead_it_and_it_is_on_record(
    gateway: RunningGateway, firm: Organisation
) -> None:
    platform = gateway.gateway.platform
    one, here = await staff(gateway), f"{PAGE}/{firm.id}"
    ann = await platform.accounts.create("ann@example.com")
    put = {"email": "ann@example.com", "part": "manager", "limit": "2.5"}
    assert await one.post(f"{here}/members", **put) == (303, here)
    member = firm.members[ann.no]
    assert (member.part, member.monthly_limit_microusd) == ("manager", 2_500_000)
    for wrong in ({"email": "nobody@example.com"}, {"part": "king"}, {"limit": "x"}):
        status, text = await one.post(f"{here}/members", **(put | wrong))
        assert status == 422 and 'role="alert"' in text, wrong
        assert f'value="{(put | wrong)["email"]}"' in text  # nobody types it twice
    owner = firm.members[platform.accounts.named(EMAIL).no].account
    first = f"{here}/members/{owner.id}/remove"
    assert (await one.post(first, confirm=EMAIL))[0] == 422  # it needs an owner
    gone = f"{here}/members/{ann.id}/remove"
    assert (await one.get(gone))[0] == 200
    assert (await one.post(gone, confirm=EMAIL))[0] == 422 and ann.no in firm.members
    assert await one.post(gone, confirm=ann.email) == (303, here)
    assert (await one.post(gone, confirm=ann.email))[0] == 404
    assert await one.post(here, name="East") == (303, here)
    assert (await one.post(here, name="<b>"))[0] == 422
    assert firm.name == "East" and firm.members.keys() == {owner.no}
    status, where = await one.post(PAGE, name="New", owner="ann@example.com")
    assert status == 303 and platform.organisations.of(ann)[0].id == where.rpartition("/")[2]
    status, text = await one.post(PAGE, name="Newer", owner="nobody@example.com")
    assert status == 422 and 'value="Newer"' in text
    person = platform.accounts.named("administrator@example.org")
    rows = [row for row in await platform.people.audit.newest(60) if row.actor == person.id]
    for detail in (f"put {ann.id} manager 2500000 microusd a month", f"remove {ann.id}", "rename"):
        assert any(row.detail == detail and row.target == firm.id for row in rows), detail


async def test_a_suspended_organisation_spends_nothing(
    gateway: RunningGateway, firm: Organisation
) -> None:
    platform = gateway.gateway.platform
    one, here = await staff(gateway), f"{PAGE}/{firm.id}"
    owner = platform.accounts.named(EMAIL)
    own, shared = gateway.key, (await platform.organisations.issue_key(firm, owner, "k")).text
    gateway.key = shared
    assert (await gateway.post(chat())).status == 200
    assert (await one.get(f"{here}/suspend"))[0] == 200
    assert (await one.post(f"{here}/suspend", confirm="Öst"))[0] == 422
    assert (await gateway.post(chat())).status == 200
    assert await one.post(f"{here}/suspend", confirm="Öst & Co") == (303, here)
    assert (await gateway.post(chat())).status == 403
    theirs = Browser(gateway, await platform.people.sessions.open(owner))
    assert "is suspended" in (await theirs.get(f"/console/organisations/{firm.id}"))[1]
    gateway.key = own
    assert (await gateway.post(chat())).status == 200  # its members' own accounts go on
    assert await one.post(f"{here}/activate") == (303, here)
    gateway.key = shared
    assert (await gateway.post(chat())).status == 200
