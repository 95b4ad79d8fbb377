"""What went wrong in other gateways, one named test each, through our doors.

A role that its owner may edit, a key that reaches what its owner's role does not, an authorisation
that a Host header talks out of its path, secrets shown but for a few characters.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from itertools import islice, product
from pathlib import Path

import pytest

from gateway.web.api.application import OPERATIONS
from tests.fakes.gateway import CATALOG, EMAIL, RunningGateway, running
from tests.web.test_console import OWN
from tests.web.test_matrix import DECLARED, Victim
from tests.web.test_security_settings import Browser

PROVIDER_KEY = "sk-Zq7XjW9vKp3QzRt8Lm"
MAIL_PASSWORD = "Vx3Kq9ZjWp7Rb5"
EVERY_ROUTE = bool(os.environ.get("EVERY_ROUTE"))  # for each Host and path form: ten minutes


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    catalog = CATALOG.format(port=9, disconnect="abort")
    catalog = catalog.replace("sk-upstream-secret", PROVIDER_KEY)
    async with running(tmp_path / "data", catalog=catalog, mail_smtp_password=MAIL_PASSWORD) as one:
        yield one


async def test_nobody_edits_a_role_of_their_own(gateway: RunningGateway) -> None:
    people = gateway.gateway.platform.people
    for role in ("member", "support", "finance", "operator", "auditor", "administrator"):
        account = await people.accounts.create(f"{role}@example.org", role)  # type: ignore[arg-type]
        one = Browser(gateway, await people.sessions.open(account))
        await one.post("/settings/profile", display_name="x", role="administrator", state="active")
        for wanted in ("administrator", "auditor", "member"):
            status, _ = await one.post(f"/admin/users/{account.id}/role", role=wanted)
            assert status == 403, (role, wanted)
        async with gateway.session.patch(
            f"{gateway.url}/api/v1/account",
            headers=one.cookie | OWN,
            json={"display_name": "y", "role": "administrator"},
        ) as response:
            assert response.status == 400, role
        assert account.role == role


async def test_an_administrators_key_is_no_administrator(gateway: RunningGateway) -> None:
    """As a bearer token or as a cookie, a key reaches only what the API gives to keys."""
    await gateway.command("accounts.role", email=EMAIL, role="administrator")
    victim = await Victim(gateway).make()
    given = {(each.method, "/api/v1" + each.path) for each in OPERATIONS if each.key_may}
    private = [each for each, action in DECLARED.items() if action != "public"]
    for method, canonical in private:
        for headers in (
            {"Authorization": f"Bearer {gateway.key}"},
            {"Cookie": f"token={gateway.key}"},
        ):
            async with gateway.session.request(
                method,
                gateway.url + victim.path(canonical),
                headers=headers | OWN,
                data=b"" if method != "GET" else None,
                allow_redirects=False,
            ) as response:
                bearer = "Authorization" in headers
                if bearer and (method, canonical) in given:
                    assert response.status in (200, 400, 404), canonical
                else:
                    assert response.status in (303, 401, 403), (method, canonical, headers)
                    assert response.headers.get("Location", "/sign-in") == "/sign-in"
    assert await victim.unharmed()


NAMES = ("127.0.0.1", "localhost", "gate.example", "[::1]", "admin", "a.b")
TAILS = ("", ":80", ":8080", "/v1", "/metrics", "?x", "#x", "@evil", ",evil", " ", "\\evil", "%2f")
HOSTS = [name + tail for name in NAMES for tail in TAILS][:46] + ["", "user@h", "h/healthz", "a, b"]
FORMS = [
    *(
        "{p}",
        "{p}/",
        "/{p}",
        "//{p}",
        "/.{p}",
        "/x/..{p}",
        "{p}/.",
        "{p}/..{p}",
        "{p}/%2e",
        "{p};x",
    ),
    *(
        "{p}?x=/healthz",
        "{p}#/healthz",
        "{p}%00",
        "{p}%20",
        "{p}%2f",
        "{p}%5c",
        "{p}\\",
        "{p}.json",
    ),
    *("/healthz/..{p}", "/healthz%2f..{p}", "/v1/..{p}", "/v1/models/../..{p}", "/static/..{p}"),
    *("/healthz;{p}", "/healthz?{p}", "/%2e%2e{p}", "/..{p}", "/%2f{p}", "/\\{p}", "{P}", "{p}%ff"),
    *("http://h{p}", "http://127.0.0.1{p}", "https://user@h{p}", "//h{p}", "///h{p}", "h{p}"),
    *("{p}/healthz", "{p}/../healthz{p}", "{p}%252f", "{p}%3f", "{p}%23", "{p}/%2e%2e{p}", "{p}//"),
    *("/openapi.json{p}", "/docs/..{p}", "{p}?token=x", "{p}&x", "{p}:80", "{p}/*", "*{p}", "{p}+"),
]


def cases() -> Iterator[tuple[str, str, str]]:
    """Method, target and Host: each Host by each path form, for some route or for every one."""
    # Below `/sign-in/` any word is the public page of a link of that name.
    routes = [
        (method, re.sub(r"\{\w+\}", "x", path))
        for (method, path), action in DECLARED.items()
        if action != "public" and not path.startswith("/sign-in/")
    ]
    hosts, forms = HOSTS[:50], FORMS[:50]
    assert len(set(hosts)) == len(set(forms)) == 50
    for number, (host, form) in enumerate(product(hosts, forms)):
        for method, page in routes if EVERY_ROUTE else [routes[number % len(routes)]]:
            yield method, form.replace("{p}", page).replace("{P}", page.upper()), host


@pytest.mark.timeout(7200 if EVERY_ROUTE else 120)
async def test_no_host_and_no_path_form_talks_past_the_guard(gateway: RunningGateway) -> None:
    """50 Host forms by 50 path forms over every private route: nobody who is nobody gets in."""
    public = {
        wanted: re.compile(
            "|".join(
                re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
                for (method, path), action in DECLARED.items()
                if action == "public" and method == wanted
            )
            or "(?!)"
        )
        for wanted in ("GET", "POST", "PATCH", "DELETE")
    }

    async def ask(method: str, target: str, host: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        try:
            head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            head += "\r\n" if method == "GET" else "Content-Length: 0\r\n\r\n"
            writer.write(head.encode("latin-1"))
            async with asyncio.timeout(10):
                return await reader.read(65_536)
        finally:
            writer.close()

    asked, waiting = 0, cases()
    while part := list(islice(waiting, 25)):
        asked += len(part)
        for case, answer in zip(part, await asyncio.gather(*(ask(*c) for c in part)), strict=True):
            status = int(answer.split(b" ", 2)[1]) if answer else 400
            if status == 303:
                assert b"ocation: /sign-in\r\n" in answer, case
            elif status == 200:  # a public page itself, with something behind it
                assert public[case[0]].fullmatch(re.split("[?#]", case[1])[0]), case
            else:
                assert 400 <= status < 500, (case, answer[:80])
    assert asked >= (250_000 if EVERY_ROUTE else 2_500)


async def test_no_part_of_a_secret_is_shown_where_it_is_set(gateway: RunningGateway) -> None:
    """Masking that leaves some characters, keys in the output of health checks."""
    await gateway.command("accounts.role", email=EMAIL, role="administrator")
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    one = Browser(gateway, await platform.people.sessions.open(account))
    shown = [
        (await one.get(page))[1]
        for page in ("/admin/providers", "/admin/providers/up", "/admin/settings", "/admin/audit")
    ]
    for path in ("/healthz", "/readyz", "/metrics"):
        async with gateway.session.get(gateway.url + path) as response:
            shown.append(await response.text())
    for name in (
        "catalog.list",
        "catalog.export",
        "providers.health",
        "keys.list",
        "accounts.list",
    ):
        shown.append(repr(await gateway.command(name)))
    for secret in (PROVIDER_KEY.removeprefix("sk-"), MAIL_PASSWORD, gateway.key[12:]):
        for start in range(len(secret) - 4):
            part = secret[start : start + 5]
            for number, text in enumerate(shown):
                assert part not in text, (number, part)
