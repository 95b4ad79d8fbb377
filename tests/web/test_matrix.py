"""Every route by every kind of visitor: nobody gets where the table of roles does not let them.

The routes are the application's own; DECLARED says once more who each is for, so a new route fails
here until somebody has thought about it.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.platform.accounts.accounts import Role
from gateway.platform.accounts.guesses import Visit
from gateway.platform.accounts.roles import (
    ACTIONS,
    OWN,
    ROLES,
    TABLE,
    is_administrative,
    may,
)
from gateway.web.guard import Guard, check_declared
from gateway.web.oauth import Errand
from tests.fakes.gateway import RunningGateway, running
from tests.fakes.sites import CLIENT
from tests.web.test_console import OWN as OWN_SITE
from tests.web.test_security_settings import Browser

OWNERS = ("own.read", "own.write")
DECLARED = {
    ("GET", "/healthz"): "public",
    ("GET", "/readyz"): "public",
    ("GET", "/metrics"): "public",
    ("GET", "/v1/realtime"): "public",  # asks for an API key itself
    ("GET", "/"): "public",
    ("GET", "/static/{digest}/{name}"): "public",
    ("GET", "/sign-up"): "public",
    ("POST", "/sign-up"): "public",
    ("GET", "/confirm/{token}"): "public",
    ("POST", "/confirm/{token}"): "public",
    ("GET", "/sign-in"): "public",
    ("POST", "/sign-in"): "public",
    ("POST", "/sign-in/link"): "public",
    ("GET", "/sign-in/{token}"): "public",
    ("POST", "/sign-in/{token}"): "public",
    ("GET", "/reset"): "public",
    ("POST", "/reset"): "public",
    ("GET", "/reset/{token}"): "public",
    ("POST", "/reset/{token}"): "public",
    ("POST", "/sign-out"): "public",
    ("POST", "/sign-in/with/{provider}"): "public",
    ("GET", "/settings/address/{token}"): "public",
    ("POST", "/settings/address/{token}"): "public",
    ("GET", "/sign-in/with/{provider}/callback"): "step.elsewhere",
    ("GET", "/sign-in/welcome"): "step.welcome",
    ("POST", "/sign-in/welcome"): "step.welcome",
    ("GET", "/sign-in/code"): "step.second",
    ("POST", "/sign-in/code"): "step.second",
    ("POST", "/sign-in/passkey"): "step.second",
    ("GET", "/console"): "own.read",
    ("GET", "/console/events"): "own.read",
    ("GET", "/console/keys"): "own.read",
    ("POST", "/console/keys"): "own.write",
    ("GET", "/console/keys/new"): "own.read",
    ("GET", "/console/keys/{id}"): "own.read",
    ("POST", "/console/keys/{id}"): "own.write",
    ("POST", "/console/keys/{id}/rotate"): "own.write",
    ("GET", "/console/keys/{id}/revoke"): "own.write",
    ("POST", "/console/keys/{id}/revoke"): "own.write",
    ("GET", "/console/keys/{id}/leaked"): "own.write",
    ("POST", "/console/keys/{id}/leaked"): "own.write",
    ("GET", "/console/usage"): "own.read",
    ("GET", "/console/usage.csv"): "own.read",
    ("GET", "/console/logs"): "own.read",
    ("GET", "/console/logs/{id}"): "own.read",
    ("GET", "/console/billing"): "own.read",
    ("GET", "/console/organisations"): "own.read",
    ("POST", "/console/organisations"): "own.write",
    ("GET", "/console/organisations/{id}"): "own.read",
    ("POST", "/console/organisations/{id}"): "own.write",
    ("POST", "/console/organisations/{id}/invitations"): "own.write",
    ("GET", "/console/organisations/{id}/invitations/{invitation}/withdraw"): "own.write",
    ("POST", "/console/organisations/{id}/invitations/{invitation}/withdraw"): "own.write",
    ("POST", "/console/organisations/{id}/members/{member}"): "own.write",
    ("GET", "/console/organisations/{id}/members/{member}/remove"): "own.write",
    ("POST", "/console/organisations/{id}/members/{member}/remove"): "own.write",
    ("GET", "/console/organisations/{id}/transfer"): "own.write",
    ("POST", "/console/organisations/{id}/transfer"): "own.write",
    ("GET", "/console/organisations/{id}/leave"): "own.write",
    ("POST", "/console/organisations/{id}/leave"): "own.write",
    ("POST", "/console/desk"): "own.write",
    ("POST", "/console/invitations/{id}/accept"): "own.write",
    ("GET", "/console/invitations/{id}/decline"): "own.write",
    ("POST", "/console/invitations/{id}/decline"): "own.write",
    ("GET", "/invitations/{token}"): "public",
    ("GET", "/guardian/{token}"): "public",
    ("POST", "/guardian/{token}"): "public",
    ("GET", "/console/age"): "own.read",
    ("POST", "/console/age/letter"): "own.write",
    ("GET", "/console/playground"): "own.read",
    ("POST", "/console/playground/key"): "own.write",
    ("GET", "/settings/profile"): "own.read",
    ("POST", "/settings/profile"): "own.write",
    ("POST", "/settings/address"): "own.write",
    ("GET", "/settings/security"): "own.read",
    ("POST", "/settings/password"): "own.write",
    ("GET", "/settings/sessions/{id}/revoke"): "own.write",
    ("POST", "/settings/sessions/{id}/revoke"): "own.write",
    ("GET", "/settings/sessions/revoke"): "own.write",
    ("POST", "/settings/sessions/revoke"): "own.write",
    ("POST", "/settings/totp"): "own.write",
    ("POST", "/settings/totp/confirm"): "own.write",
    ("POST", "/settings/passkeys"): "own.write",
    ("GET", "/settings/factors/{id}/remove"): "own.write",
    ("POST", "/settings/factors/{id}/remove"): "own.write",
    ("GET", "/settings/recovery-codes"): "own.write",
    ("POST", "/settings/recovery-codes"): "own.write",
    ("GET", "/settings/identities/{provider}/remove"): "own.write",
    ("POST", "/settings/identities/{provider}/remove"): "own.write",
    ("POST", "/preferences"): "public",
    ("GET", "/docs"): "public",
    ("GET", "/docs/guides/{name}"): "public",
    ("GET", "/docs/reference"): "public",
    ("GET", "/legal/{name}"): "public",
    ("GET", "/models"): "public",
    ("GET", "/status"): "public",
    ("GET", "/admin"): "admin.read",
    ("GET", "/admin/providers"): "catalog.read",
    ("POST", "/admin/providers"): "catalog.write",
    ("GET", "/admin/providers/{name}"): "catalog.read",
    ("POST", "/admin/providers/{name}"): "catalog.write",
    ("POST", "/admin/providers/{name}/test"): "catalog.write",
    ("GET", "/admin/models"): "catalog.read",
    ("POST", "/admin/models"): "catalog.write",
    ("GET", "/admin/prices"): "catalog.read",
    ("GET", "/admin/models/{name}"): "catalog.read",
    ("POST", "/admin/models/{name}"): "catalog.write",
    ("POST", "/admin/models/{name}/price"): "catalog.write",
    ("GET", "/admin/models/{name}/price/keep"): "catalog.write",
    ("POST", "/admin/models/{name}/price/keep"): "catalog.write",
    ("GET", "/admin/users"): "accounts.read",
    ("POST", "/admin/users"): "accounts.create",
    ("GET", "/admin/users/{id}"): "accounts.read",
    ("GET", "/admin/users/{id}/suspend"): "accounts.suspend",
    ("POST", "/admin/users/{id}/suspend"): "accounts.suspend",
    ("POST", "/admin/users/{id}/activate"): "accounts.suspend",
    ("POST", "/admin/users/{id}/role"): "accounts.role",
    ("GET", "/admin/users/{id}/sessions"): "sessions.revoke",
    ("POST", "/admin/users/{id}/sessions"): "sessions.revoke",
    ("GET", "/admin/users/{id}/age"): "accounts.age",
    ("POST", "/admin/users/{id}/age"): "accounts.age",
    ("POST", "/admin/users/{id}/age/lift"): "accounts.age",
    ("GET", "/admin/users/{id}/purge"): "accounts.erase",
    ("POST", "/admin/users/{id}/purge"): "accounts.erase",
    ("POST", "/admin/users/{id}/credit"): "credits.request",
    ("POST", "/admin/users/{id}/credit/back"): "credits.request",
    ("GET", "/admin/organisations"): "accounts.read",
    ("POST", "/admin/organisations"): "organisations.write",
    ("GET", "/admin/organisations/{id}"): "accounts.read",
    ("POST", "/admin/organisations/{id}"): "organisations.write",
    ("GET", "/admin/organisations/{id}/suspend"): "accounts.suspend",
    ("POST", "/admin/organisations/{id}/suspend"): "accounts.suspend",
    ("POST", "/admin/organisations/{id}/activate"): "accounts.suspend",
    ("POST", "/admin/organisations/{id}/credit"): "credits.request",
    ("POST", "/admin/organisations/{id}/credit/back"): "credits.request",
    ("POST", "/admin/organisations/{id}/members"): "organisations.write",
    ("GET", "/admin/organisations/{id}/members/{member}/remove"): "organisations.write",
    ("POST", "/admin/organisations/{id}/members/{member}/remove"): "organisations.write",
    ("GET", "/admin/requests"): "requests.read",
    ("GET", "/admin/requests/{id}"): "requests.read",
    ("GET", "/admin/keys"): "keys.read",
    ("GET", "/admin/keys/{id}/revoke"): "keys.revoke",
    ("POST", "/admin/keys/{id}/revoke"): "keys.revoke",
    ("GET", "/admin/incidents"): "incidents.read",
    ("POST", "/admin/incidents"): "incidents.write",
    ("GET", "/admin/incidents/{id}"): "incidents.read",
    ("POST", "/admin/incidents/{id}/updates"): "incidents.write",
    ("POST", "/admin/incidents/{id}/end"): "incidents.write",
    ("POST", "/admin/incidents/{id}/withdraw"): "incidents.write",
    ("GET", "/admin/reviews"): "reviews.read",
    ("GET", "/admin/reviews/{id}"): "reviews.read",
    ("POST", "/admin/reviews/{id}/close"): "reviews.write",
    ("GET", "/admin/letters"): "mail.show",
    ("GET", "/admin/adjustments"): "credits.read",
    ("POST", "/admin/adjustments/{id}"): "credits.decide",
    ("GET", "/admin/breaches"): "breaches.read",
    ("POST", "/admin/breaches"): "breaches.write",
    ("GET", "/admin/breaches/{id}"): "breaches.read",
    ("POST", "/admin/breaches/{id}"): "breaches.write",
    ("GET", "/admin/agreements"): "agreements.read",
    ("POST", "/admin/agreements"): "agreements.write",
    ("GET", "/admin/attestations"): "attestations.read",
    ("POST", "/admin/attestations"): "attestations.write",
    ("GET", "/admin/ledger"): "ledger.read",
    ("POST", "/admin/ledger/verify"): "ledger.read",
    ("GET", "/admin/drift"): "usage.read",
    ("GET", "/admin/audit"): "audit.read",
    ("POST", "/admin/audit/verify"): "audit.read",
    ("GET", "/admin/audit/export"): "audit.export",
    ("GET", "/admin/settings"): "settings.read",
    ("GET", "/admin/policy"): "settings.read",
    ("GET", "/openapi.json"): "public",
    ("GET", "/api/v1/account"): "own.read",
    ("PATCH", "/api/v1/account"): "own.write",
    ("GET", "/api/v1/balance"): "own.read",
    ("GET", "/api/v1/ledger"): "own.read",
    ("GET", "/api/v1/keys"): "own.read",
    ("POST", "/api/v1/keys"): "own.write",
    ("GET", "/api/v1/keys/{id}"): "own.read",
    ("PATCH", "/api/v1/keys/{id}"): "own.write",
    ("POST", "/api/v1/keys/{id}/rotate"): "own.write",
    ("DELETE", "/api/v1/keys/{id}"): "own.write",
    ("GET", "/api/v1/usage"): "own.read",
    ("GET", "/api/v1/requests"): "own.read",
    ("GET", "/api/v1/requests/{id}"): "own.read",
    ("GET", "/api/v1/organisations"): "own.read",
    ("POST", "/api/v1/organisations"): "own.write",
    ("GET", "/api/v1/organisations/{id}"): "own.read",
    ("PATCH", "/api/v1/organisations/{id}"): "own.write",
    ("GET", "/api/v1/organisations/{id}/members"): "own.read",
    ("PATCH", "/api/v1/organisations/{id}/members/{member}"): "own.write",
    ("DELETE", "/api/v1/organisations/{id}/members/{member}"): "own.write",
    ("POST", "/api/v1/organisations/{id}/transfer"): "own.write",
    ("GET", "/api/v1/organisations/{id}/keys"): "own.read",
    ("POST", "/api/v1/organisations/{id}/keys"): "own.write",
    ("GET", "/api/v1/organisations/{id}/keys/{key}"): "own.read",
    ("PATCH", "/api/v1/organisations/{id}/keys/{key}"): "own.write",
    ("POST", "/api/v1/organisations/{id}/keys/{key}/rotate"): "own.write",
    ("DELETE", "/api/v1/organisations/{id}/keys/{key}"): "own.write",
    ("GET", "/api/v1/organisations/{id}/invitations"): "own.read",
    ("POST", "/api/v1/organisations/{id}/invitations"): "own.write",
    ("DELETE", "/api/v1/organisations/{id}/invitations/{invitation}"): "own.write",
    ("GET", "/api/v1/invitations"): "own.read",
    ("POST", "/api/v1/invitations/{id}/accept"): "own.write",
    ("DELETE", "/api/v1/invitations/{id}"): "own.write",
}
PRIVATE = {route: action for route, action in DECLARED.items() if action != "public"}


def routes_of(app: web.Application) -> dict[tuple[str, str], str]:
    found = {}
    for route in app.router.routes():
        assert route.resource is not None
        if route.method != "HEAD":  # made beside every GET, with the same handler
            found[route.method, route.resource.canonical] = route.handler.action
    return found


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", **CLIENT) as one:
        one.gateway.platform.people.passwords.cost = 4
        yield one


async def test_every_route_is_declared(gateway: RunningGateway) -> None:
    app = gateway.gateway._runner.app
    assert isinstance(app, web.Application)
    assert routes_of(app) == DECLARED


class Victim:
    """An account with one of everything that a path can name."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.platform = gateway.gateway.platform
        self.people = self.platform.people

    async def make(self) -> "Victim":
        people = self.people
        self.account = await people.accounts.create("victim@example.com")
        self.token = await people.sessions.open(self.account)
        session = await people.sessions.find(self.token)
        assert session is not None
        self.session_id = session.id
        await people.factors._add(self.account, "totp", "app", "GEZDGNBVGY3TQOJQ", counter=1)
        [factor] = await people.factors.listing(self.account)
        self.factor_id = factor.id
        self.key = await self.platform.keys.issue(self.account, "theirs")
        self.shared = await self.platform.organisations.found(self.account, "Theirs")
        issued = await self.platform.organisations.issue_key(self.shared, self.account, "theirs")
        self.shared_key = issued
        invite = self.platform.invitations.invite
        self.invitation = await invite(self.account, self.shared, "guest@example.com")
        return self

    def path(self, canonical: str) -> str:
        ids = {"token": "x" * 43, "provider": "google"}
        ids["id"] = self.factor_id if "factors" in canonical else self.session_id
        if "/keys/" in canonical:
            ids["id"] = self.key.id
        ids |= {"member": self.account.id, "invitation": self.invitation.id}
        ids["key"] = self.shared_key.id
        if "/organisations/" in canonical:
            ids["id"] = self.shared.id
        elif "/invitations/" in canonical:
            ids["id"] = self.invitation.id
        if canonical.startswith("/admin/"):
            ids["id"] = ids["name"] = "nothing"
        return re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], canonical)

    async def unharmed(self) -> bool:
        factors = await self.people.factors.listing(self.account)
        for each in (self.key, self.shared_key):
            key = await self.platform.keys.named(each.id)
            if key.revoked_us is not None or key.name != "theirs" or key.ended_by:
                return False
        waiting = await self.platform.invitations.waiting(self.shared)
        if waiting != [self.invitation] or self.shared.name != "Theirs":
            return False
        if self.shared.members.keys() != {self.account.no}:
            return False
        if self.shared.keys != {self.shared_key.key.no: self.account.no}:
            return False
        return len(factors) == 1 and await self.people.sessions.account(self.token) is self.account


async def visitors(gateway: RunningGateway, victim: Victim) -> dict[str, str]:
    """The token of each kind of visitor who must not reach the victim's things."""
    people = gateway.gateway.platform.people
    found = {"anonymous": "", "forged": "x" * 43}
    for role in ROLES:
        account = await people.accounts.create(f"{role}@example.org", role)
        found[role] = await people.sessions.open(account)
    gone = await people.accounts.create("gone@example.org", "administrator")
    for name in ("revoked", "signed out", "suspended"):
        found[name] = await people.sessions.open(gone)
    await people.sessions.revoke_all(gone)
    found["suspended"] = await people.sessions.open(gone)
    await people.accounts.set_state(gone, "suspended")
    found["half-way in"] = await people.sessions.open(victim.account, stage="second")
    found["elsewhere"] = await people.sessions.open(
        victim.account,
        stage="elsewhere",
        context=Errand("google", "state", "nonce", "verifier", gateway.url)._asdict(),
    )
    return found


OUTSIDE = {"anonymous", "forged", "revoked", "signed out", "suspended", "half-way in", "elsewhere"}
ALLOWED = (200, 303, 404, 422)  # the ids below are of nothing an administrator could change
API_ANSWERS = (200, 201, 204, 400, 404)
LINK_NAMES = {"/sign-in/link", "/sign-in/passkey"}
STEPS = {"step.second": "half-way in", "step.elsewhere": "elsewhere"}


async def request(gateway: RunningGateway, method: str, path: str, token: str) -> Any:
    cookie = {"Cookie": f"token={token}"} if token else {}
    async with gateway.session.request(
        method,
        gateway.url + path,
        headers=cookie | OWN_SITE,
        data={"email": "x@example.com"} if method == "POST" and "/api/" not in path else None,
        json={"name": "x"} if method in ("POST", "PATCH") and "/api/" in path else None,
        allow_redirects=False,
    ) as response:
        return response


async def test_nobody_outside_gets_in_and_no_tenant_reaches_another(
    gateway: RunningGateway,
) -> None:
    victim = await Victim(gateway).make()
    for name, token in (await visitors(gateway, victim)).items():
        renewed = token
        for (method, canonical), action in PRIVATE.items():
            if name in ROLES:  # some routes end the visitor's own session
                account = gateway.gateway.platform.accounts.named(f"{name}@example.org")
                renewed = await victim.people.sessions.open(account)
            response = await request(gateway, method, victim.path(canonical), renewed)
            case = (name, method, canonical, response.status)
            assert response.status < 500, case
            if STEPS.get(action) == name:
                continue
            if canonical.startswith("/api/"):
                assert response.status in ((401,) if name in OUTSIDE else API_ANSWERS), case
                if "{id}" in canonical and name not in OUTSIDE:
                    assert response.status in (400, 404), case
            elif name in ROLES and action in ACTIONS - OWN:
                if may(cast(Role, name), action):
                    assert response.status in ALLOWED, case
                else:
                    assert response.status == 403, case
            elif name in OUTSIDE or action not in OWN:
                assert response.status == 303, case
                assert response.headers["Location"] == "/sign-in", case
            elif "{id}" in canonical:
                assert response.status in (403, 404, 422), case
            assert await victim.unharmed(), case


async def test_no_foreign_form_is_taken_by_any_route(gateway: RunningGateway) -> None:
    """RFC 6454 and Fetch Metadata: nothing from elsewhere, of any content type, changes a thing."""
    victim = await Victim(gateway).make()
    forms: list[dict[str, str]] = [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
        {"Origin": "https://evil.example", "Content-Type": "text/plain"},
    ]
    changing = [each for each in DECLARED if each[0] != "GET"]
    for method, canonical in changing:
        for headers in forms:
            async with gateway.session.request(
                method,
                gateway.url + victim.path(canonical),
                headers={"Cookie": f"token={victim.token}"} | headers,
                data=b"email=x",
                allow_redirects=False,
            ) as response:
                assert response.status == 403, (canonical, headers)
        if method == "POST" and ("GET", canonical) not in DECLARED:
            got = await request(gateway, "GET", victim.path(canonical), victim.token)
            # Below `/sign-in/` that is the page of a link of that name, which changes nothing.
            assert got.status == 405 or canonical in LINK_NAMES, canonical
    assert await victim.unharmed()


async def test_every_action_by_every_role_is_as_the_table_says(gateway: RunningGateway) -> None:
    """A page for each action: who may, may; who may not is refused; and all of it is on record."""
    people = gateway.gateway.platform.people

    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text="done")

    guard = Guard(people, gateway.gateway.platform.organisations)
    app = web.Application()
    for number, action in enumerate(sorted(ACTIONS)):
        app.router.add_routes([guard.post(f"/{number}/{{id}}", action, page)])
    check_declared(app)
    async with TestClient(TestServer(app)) as client:
        for role in ROLES:
            account = await people.accounts.create(f"{role}@example.org", role)
            token = await people.sessions.open(account)
            for number, action in enumerate(sorted(ACTIONS)):
                before = await people.audit.head()
                response = await client.post(
                    f"/{number}/acc_1", headers={"Cookie": f"token={token}"}
                )
                allowed = action in TABLE[role]
                assert response.status == (200 if allowed else 403), (role, action)
                [row] = await people.audit.newest(1) or [None]
                if not is_administrative(action):
                    assert await people.audit.head() == before
                    continue
                assert row is not None
                assert (row.actor, row.role, row.action) == (account.id, role, action)
                assert row.target == "acc_1"
                assert row.detail == f"POST /{number}/{{id}}{'' if allowed else ' refused'}"
    assert (await people.audit.verify()).findings == []


async def test_what_cannot_be_recorded_is_not_done(gateway: RunningGateway) -> None:
    people = gateway.gateway.platform.people
    done = []

    async def page(request: web.Request) -> web.StreamResponse:
        done.append(request.path)
        return web.Response()

    app = web.Application()
    guard = Guard(people, gateway.gateway.platform.organisations)
    app.router.add_routes([guard.get("/", "accounts.read", page)])
    account = await people.accounts.create("a@example.org", "support")
    token = await people.sessions.open(account)
    database = gateway.gateway.platform.database
    await database.write(lambda c: c.exec_driver_sql("ALTER TABLE audit_log RENAME TO gone"))
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/", headers={"Cookie": f"token={token}"})
        assert response.status == 500 and done == []
    await database.write(lambda c: c.exec_driver_sql("ALTER TABLE gone RENAME TO audit_log"))


def test_a_route_without_an_action_stops_the_start() -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response()

    app = web.Application()
    app.router.add_get("/forgotten", page)
    with pytest.raises(RuntimeError, match="forgotten"):
        check_declared(app)


async def test_an_ended_session_is_dead_at_once(gateway: RunningGateway) -> None:
    """Sign-out, password change, suspension, role change: the very next request is a stranger's."""
    platform = gateway.gateway.platform
    people = platform.people
    account = await people.accounts.create("ann@example.org")

    async def fresh() -> Browser:
        return Browser(gateway, await people.sessions.open(account))

    one = await fresh()
    assert (await one.get("/console"))[0] == 200
    await one.post("/sign-out")
    for end in (
        lambda: gateway.command("accounts.role", email=account.email, role="support"),
        lambda: gateway.command("accounts.suspend", email=account.email),
    ):
        one = await fresh()
        assert (await one.get("/console"))[0] == 200
        await end()
        assert (await one.get("/console"))[0] == 303
    await gateway.command("accounts.activate", email=account.email)
    assert (await one.get("/console"))[0] == 303  # it does not come back to life
    one = await fresh()
    session = await people.sessions.find(one.token)
    assert session is not None
    other = await fresh()
    await people.entrance.change_password(session, "correct horse", Visit(token=one.token))
    assert (await one.get("/console"))[0] == 303 and (await other.get("/console"))[0] == 303
