"""Keys and requests of others: seen and ended by the roles that hold it, audited all the same."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.platform.accounts.accounts import Role
from gateway.platform.accounts.roles import ROLES, may
from gateway.web.console.admin.frame import PAGE_ROWS
from tests.fakes.gateway import EMAIL, RunningGateway, running
from tests.web.test_console import get
from tests.web.test_security_settings import Browser

BODY = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "a-private-prompt"}]}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        await one.post(BODY)
        await one.settled()
        yield one


async def staff(gateway: RunningGateway, role: Role) -> Browser:
    people = gateway.gateway.platform.people
    account = await people.accounts.create(f"{role}@example.org", role)
    return Browser(gateway, await people.sessions.open(account))


async def noted(gateway: RunningGateway, role: str) -> list[tuple[str, str]]:
    """What stands in the audit log of a role: actions and their targets, oldest first."""
    rows = await gateway.gateway.platform.people.audit.newest(100)
    return [(row.action, row.target) for row in reversed(rows) if row.role == role]


async def test_an_account_shows_what_the_role_may_see(gateway: RunningGateway) -> None:
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    [key] = await platform.keys.listing(account)
    [row] = await gateway.rows()
    for role in ROLES:
        one = await staff(gateway, role)
        status, text = await one.get(f"/admin/users/{account.id}")
        assert (status == 200) == may(role, "accounts.read"), role
        if status != 200:
            continue
        assert (f"{key.prefix}…" in text) == may(role, "keys.read"), role
        assert (f"/admin/keys/{key.id}/revoke" in text) == may(role, "keys.revoke"), role
        assert (f"/admin/requests/{row['id']}" in text) == may(role, "requests.read"), role
        assert gateway.key not in text and "a-private-prompt" not in text
        wanted = [("accounts.read", account.id)]
        for action in ("keys.read", "requests.read"):
            wanted += [(action, account.id)] if may(role, action) else []
        assert await noted(gateway, role) == wanted


async def test_a_request_is_looked_at_and_nothing_can_be_done_to_it(
    gateway: RunningGateway,
) -> None:
    [row] = await gateway.rows()
    for role in ROLES:
        one = await staff(gateway, role)
        status, text = await one.get(f"/admin/requests/{row['id']}")
        assert (status == 200) == may(role, "requests.read"), role
        if status == 200:
            assert "sandbox/echo" in text and "a-private-prompt" not in text
            assert (EMAIL in text) == may(role, "accounts.read"), role
            assert ("In the ledger" in text) == may(role, "credits.read"), role
            assert ("requests.read", row["id"]) in await noted(gateway, role)
    people = gateway.gateway.platform.people
    token = await people.sessions.open(people.accounts.named("operator@example.org"))
    one = Browser(gateway, token)
    assert (await one.get("/admin/requests/req_0"))[0] == 404
    status, text = await one.get("/admin/requests")
    assert status == 200 and row["id"] in text
    assert (await one.get(f"/admin/requests?id={row['id']}"))[0] == 303
    account = people.accounts.named(EMAIL)
    assert row["id"] in (await one.get(f"/admin/requests?account={account.id}"))[1]
    other = people.accounts.named("member@example.org")
    assert row["id"] not in (await one.get(f"/admin/requests?account={other.id}"))[1]
    assert (await one.get("/admin/requests?account=none"))[0] == 404
    assert ("requests.read", other.id) in await noted(gateway, "operator")


async def test_a_key_is_revoked_by_those_who_may(gateway: RunningGateway) -> None:
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    for role in ROLES:
        issued = await platform.keys.issue(account, "k")
        gateway.key = issued.text
        assert (await gateway.post(BODY)).status == 200
        one = await staff(gateway, role)
        status, where = await one.post(f"/admin/keys/{issued.id}/revoke", confirm="k")
        allowed = may(role, "keys.revoke")
        assert status == (303 if allowed else 403), role
        assert (await gateway.post(BODY)).status == (401 if allowed else 200), role
        if allowed:
            page = f"/admin/users/{account.id}#keys" if may(role, "accounts.read") else None
            assert where == (page or "/admin/keys")
        assert ("keys.revoke", issued.id) in await noted(gateway, role)  # refused or not
        prefix = (await platform.keys.named(issued.id)).prefix
        assert (await one.post(f"/admin/keys/{prefix}/revoke"))[0] == (404 if allowed else 403)


async def test_everybodys_keys_are_listed_for_whoever_may_see_them(
    gateway: RunningGateway,
) -> None:
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    [key] = await platform.keys.listing(account)
    for role in ROLES:
        one = await staff(gateway, role)
        status, text = await one.get("/admin/keys")
        assert (status == 200) == may(role, "keys.read"), role
        assert (f"{key.prefix}…" in text) == may(role, "keys.read"), role
        assert (EMAIL in text) == (may(role, "keys.read") and may(role, "accounts.read")), role
        assert (f"/admin/keys/{key.id}/revoke" in text) == may(role, "keys.revoke"), role
        assert ("keys.read", "") in [(act, "") for act, _ in await noted(gateway, role)]
        assert gateway.key not in text
        _, home = await one.get("/admin")
        assert ('href="/admin/keys"' in home) == may(role, "keys.read"), role


async def test_a_key_is_found_by_its_beginning_and_lists_are_turned(
    gateway: RunningGateway,
) -> None:
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    issued = [await platform.keys.issue(account, f"key {number}") for number in range(PAGE_ROWS)]
    one = await staff(gateway, "operator")
    rows = await platform.keys.listing()
    _, first = await one.get("/admin/keys")
    [where] = re.findall(r'href="(/admin/keys\?before=\d+)" rel="next"', first)
    _, second = await one.get(where)
    seen = re.findall(r"<code>(sk-tg-\w{6})…</code>", first + second)
    assert seen == [row.prefix for row in rows] and 'rel="next"' not in second
    text, prefix = issued[7].text, issued[7].text[:12]
    _, found = await one.get(f"/admin/keys?q={prefix}")
    assert re.findall(r"<code>(sk-tg-\w{6})…</code>", found) == [prefix]
    assert 'maxlength="12"' in found
    # A whole key is cut, and no page repeats it.
    response, _ = await get(gateway, f"/admin/keys?q={text}", **one.cookie)
    assert (response.status, response.headers["Location"]) == (303, f"/admin/keys?q={prefix}")
    assert "No key." in (await one.get("/admin/keys?q=sk-tg-none"))[1]
    assert "No key." in (await one.get("/admin/keys?before=1"))[1]
    rows = await platform.people.audit.newest(20)
    assert text not in str(rows)


async def test_an_organisations_keys_are_ended_from_its_page(gateway: RunningGateway) -> None:
    platform = gateway.gateway.platform
    owner = platform.accounts.named(EMAIL)
    firm = await platform.organisations.found(owner, "Firm")
    issued = await platform.organisations.issue_key(firm, owner, "shared")
    one = await staff(gateway, "support")
    _, text = await one.get(f"/admin/organisations/{firm.id}")
    assert f"/admin/keys/{issued.id}/revoke" in text and "Latest requests" in text
    assert (await one.post(f"/admin/keys/{issued.id}/revoke", confirm="other"))[0] == 422
    status, where = await one.post(f"/admin/keys/{issued.id}/revoke", confirm="shared")
    assert (status, where) == (303, f"/admin/organisations/{firm.id}#keys")
    assert (await platform.keys.named(issued.id)).revoked_us is not None
