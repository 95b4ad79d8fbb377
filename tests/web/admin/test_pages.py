"""The administration pages as people of each role meet them."""

import asyncio
import html
import json
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from gateway.base.progress import Progress
from gateway.platform.accounts.accounts import Role
from gateway.platform.accounts.guesses import Visit
from gateway.platform.accounts.roles import ROLES, may
from gateway.platform.audit import Head
from gateway.platform.checks import LEDGER
from gateway.platform.ledger.reconcile import Report
from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream
from tests.web.test_console import Page, get
from tests.web.test_security_settings import Browser

PAGES = {
    "/admin": "admin.read",
    "/admin/providers": "catalog.read",
    "/admin/providers/up": "catalog.read",
    "/admin/models": "catalog.read",
    "/admin/models/m": "catalog.read",
    "/admin/prices": "catalog.read",
    "/admin/users": "accounts.read",
    "/admin/organisations": "accounts.read",
    "/admin/breaches": "breaches.read",
    "/admin/agreements": "agreements.read",
    "/admin/attestations": "attestations.read",
    "/admin/requests": "requests.read",
    "/admin/incidents": "incidents.read",
    "/admin/letters": "mail.show",
    "/admin/adjustments": "credits.read",
    "/admin/ledger": "ledger.read",
    "/admin/drift": "usage.read",
    "/admin/audit": "audit.read",
    "/admin/settings": "settings.read",
    "/admin/policy": "settings.read",
}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    upstream = await FakeUpstream().start()
    settings = {"mail_smtp_password": "hunter2-secret"}
    async with running(tmp_path / "data", upstream, **settings) as one:
        yield one
    await upstream.stop()


async def staff(gateway: RunningGateway, role: Role = "administrator", name: str = "") -> Browser:
    people = gateway.gateway.platform.people
    address = f"{name or role}@example.org"
    account = people.accounts.find(address) or await people.accounts.create(address, role)
    return Browser(gateway, await people.sessions.open(account))


def user(gateway: RunningGateway, email: str = EMAIL) -> str:
    return gateway.gateway.platform.accounts.named(email).id


async def once(browser: Browser, id: str) -> str:
    found = re.search(r'name="once" value="(\w+)"', (await browser.get(f"/admin/users/{id}"))[1])
    assert found is not None
    return found[1]


async def test_every_page_is_safe_and_leads_only_where_its_reader_may_go(
    gateway: RunningGateway,
) -> None:
    """The rail of each role holds no link that would be refused, and every page is recorded."""
    assert (await gateway.post(chat())).status == 200
    await gateway.settled()
    for role in ROLES:
        one = await staff(gateway, role)
        for path, action in PAGES.items():
            response, text = await get(gateway, path, **one.cookie)
            assert response.status == (200 if may(role, action) else 403), (role, path)
            if role == "member":
                assert 'href="/admin' not in text
                continue
            page = Page(text) if response.status == 200 else None
            if page is None:
                continue
            assert page.inline == [] and "unsafe" not in response.headers["Content-Security-Policy"]
            for link in {each for each in page.links if each.startswith("/admin")}:
                if "export" not in link:
                    assert (await get(gateway, link, **one.cookie))[0].status == 200, (role, link)


async def test_credit_is_one_pair_in_the_ledger_and_one_form_gives_it_once(
    gateway: RunningGateway,
) -> None:
    one, id = await staff(gateway), user(gateway)
    form = {"usd": "12.5", "source": "adjustment", "reason": "invoice 17"}
    form["once"] = await once(one, id)
    path = f"/admin/users/{id}/credit"
    answers = [*await asyncio.gather(*(one.post(path, **form) for _ in range(4)))]
    answers.append(await one.post(path, **form))
    assert set(answers) == {(303, f"/admin/users/{id}")}
    assert await gateway.balance_microusd() == 22_500_000
    _, text = await one.get("/admin/ledger")
    assert text.count("invoice 17") == 1 and f"adjust:{form['once']}" in text
    status, text = await one.post(f"/admin/users/{id}/credit", **(form | {"usd": "13"}))
    assert status == 422 and "sent before" in text
    for wrong in (
        {"usd": "0"},
        {"usd": "1e3"},
        {"usd": "-1"},
        {"reason": " "},
        {"source": "cash:stripe"},
        {"once": "adj_1"},
    ):
        fresh = form | {"once": await once(one, id)} | wrong
        assert (await one.post(f"/admin/users/{id}/credit", **fresh))[0] == 422, wrong
    assert await gateway.balance_microusd() == 22_500_000
    await gateway.assert_nothing_leaked()


async def test_credit_is_taken_back_by_a_form(gateway: RunningGateway) -> None:
    one, id = await staff(gateway), user(gateway)
    found = re.search(
        r'/credit/back">\s*<input[^>]*value="(\w+)"', (await one.get(f"/admin/users/{id}"))[1]
    )
    assert found is not None
    form = {"usd": "4", "kind": "revoke", "reason": "given twice", "once": found[1]}
    status, text = await one.post(f"/admin/users/{id}/credit/back", **form)
    assert status == 200 and f'name="once" value="{found[1]}"' in text and "given twice" in text
    assert (await one.post(f"/admin/users/{id}/credit/back", confirm="x", **form))[0] == 422
    assert await gateway.balance_microusd() == 10_000_000
    form["confirm"] = EMAIL
    for _ in range(2):
        status, where = await one.post(f"/admin/users/{id}/credit/back", **form)
        assert (status, where) == (303, f"/admin/users/{id}")
    assert await gateway.balance_microusd() == 6_000_000
    _, text = await one.get(f"/admin/users/{id}")
    assert "taken back" in text and re.search(r"[-−]\$?4\b", text)
    for wrong in ({"usd": "7"}, {"kind": "grant"}, {"reason": ""}, {"corrects": "charge:x"}):
        fresh = form | {"once": await once(one, id)} | wrong
        assert (await one.post(f"/admin/users/{id}/credit/back", **fresh))[0] == 422, wrong
    support = await staff(gateway, "support")
    assert (await support.post(f"/admin/users/{id}/credit/back", **form))[0] == 403
    forfeit = form | {"once": await once(one, id), "kind": "forfeit", "usd": "1"}
    await one.post(f"/admin/users/{id}/credit/back", **forfeit)
    assert await gateway.balance_microusd() == 6_000_000  # it waits for another person
    _, text = await one.get("/admin/adjustments")
    assert "forfeited" in text
    [wish] = await gateway.gateway.platform.adjustments.waiting()
    other, path = await staff(gateway, "finance", "second"), f"/admin/adjustments/{wish.id}"
    status, text = await other.post(path, choice="approve")
    assert status == 200 and "always two people" in text
    for typed in ("", "yes", "another@example.com"):
        assert (await other.post(path, choice="approve", confirm=typed))[0] == 422, typed
    assert await gateway.balance_microusd() == 6_000_000
    assert (await other.post(path, choice="approve", confirm=EMAIL))[0] == 303
    assert await gateway.balance_microusd() == 5_000_000
    await gateway.assert_nothing_leaked()


async def test_a_large_adjustment_needs_another_person(gateway: RunningGateway) -> None:
    one, other = await staff(gateway, "finance"), await staff(gateway, "finance", "second")
    id = user(gateway)
    for amount in ("60", "60"):
        await one.post(
            f"/admin/users/{id}/credit",
            **{
                "usd": amount,
                "source": "cash:manual",
                "reason": "wire",
                "once": await once(one, id),
            },
        )
    assert await gateway.balance_microusd() == 70_000_000  # the second one waits
    _, text = await one.get("/admin/adjustments")
    assert "somebody else decides" in text and "Approve" not in text
    [wish] = await gateway.gateway.platform.adjustments.waiting()
    path = f"/admin/adjustments/{wish.id}"
    assert (await one.post(path, choice="approve", confirm="yes"))[0] == 422
    assert (await other.post(path, choice="perhaps", confirm="yes"))[0] == 422
    status, text = await other.post(path, choice="approve")
    assert status == 200 and "60" in text and "wire" in text
    assert await gateway.balance_microusd() == 70_000_000  # it was only asked
    assert (await other.post(path, choice="approve", confirm="yes"))[0] == 303
    assert (await other.post(path, choice="approve", confirm="yes"))[0] == 422
    assert await gateway.balance_microusd() == 130_000_000


async def test_a_refused_form_keeps_what_was_typed_but_no_secret(gateway: RunningGateway) -> None:
    one, id = await staff(gateway), user(gateway)
    for path, form in (
        ("/admin/providers", {"name": "new", "base_url": "ftp://x", "region": "eu-1"}),
        ("/admin/models", {"name": "team/a", "target": "b", "input": "abc", "context_tokens": "9"}),
        ("/admin/models/m/price", {"input": "2.5", "output": "x", "begins": "2030-01-01"}),
        ("/admin/users", {"email": "no address"}),
        (f"/admin/users/{id}/credit", {"usd": "1e3", "source": "promotion", "reason": "<why>"}),
        (f"/admin/users/{id}/credit/back", {"usd": "0", "kind": "forfeit", "corrects": "grant:1"}),
    ):
        status, text = await one.post(path, api_key="sk-secret", once="adj_1", **form)
        assert status == 422 and 'role="alert"' in text, path
        for value in form.values():
            shown = html.escape(value)
            assert f'value="{shown}"' in text, (path, value)
        assert "sk-secret" not in text and 'adj_1"' not in text
    assert 'value="<why>"' not in text


async def test_letters_that_reached_nobody_are_shown_with_their_links(
    gateway: RunningGateway,
) -> None:
    people = gateway.gateway.platform.people
    one = await staff(gateway)
    assert "Every letter was delivered" in (await one.get("/admin/letters"))[1]
    await people.entrance.ask_reset(EMAIL, Visit(), "fr")
    [shown] = await people.mail.undelivered()
    _, text = await one.get("/admin/letters")
    assert EMAIL in text and f"/reset/{shown.letter.token}" in text
    assert 'href="/admin/letters"' in (await one.get("/admin"))[1]
    support = await staff(gateway, "support")
    assert (await support.get("/admin/letters"))[0] == 403
    assert "/admin/letters" not in (await support.get("/admin"))[1]
    [row] = await people.audit.newest(1)
    assert row.action == "admin.read"


async def test_accounts_are_found_by_plain_text(gateway: RunningGateway) -> None:
    one = await staff(gateway)
    assert EMAIL in (await one.get("/admin/users?q=SOMEONE@"))[1]
    for pattern in ("%25", "_omeone", "%25" * 50, "*", "someone%25"):
        assert EMAIL not in (await one.get(f"/admin/users?q={pattern}"))[1], pattern
    assert "&lt;script&gt;" in (await one.get("/admin/users?q=<script>"))[1]


async def test_suspension_roles_and_sessions(gateway: RunningGateway) -> None:
    one, id = await staff(gateway), user(gateway)
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    theirs = Browser(gateway, await platform.people.sessions.open(account))
    assert (await one.post(f"/admin/users/{id}/suspend", confirm="somebody@else"))[0] == 422
    assert (await theirs.get("/console"))[0] == 200
    assert (await one.post(f"/admin/users/{id}/suspend", confirm=EMAIL))[0] == 303
    assert (await theirs.get("/console"))[0] == 303
    assert (await gateway.post(chat())).status == 403
    assert (await one.post(f"/admin/users/{id}/activate"))[0] == 303
    assert (await gateway.post(chat())).status == 200
    assert (await one.post(f"/admin/users/{id}/role", role="owner"))[0] == 422
    assert (await one.post(f"/admin/users/{id}/role", role="support"))[0] == 200
    assert account.role == "member"
    assert (await one.post(f"/admin/users/{id}/role", role="support", confirm="yes"))[0] == 303
    assert account.role == "support"
    own = user(gateway, "administrator@example.org")
    for action in ("suspend", "role"):
        form = {"role": "member", "confirm": "administrator@example.org"}
        assert (await one.post(f"/admin/users/{own}/{action}", **form))[0] == 403
    assert (await one.get("/admin/users/acc_nobody"))[0] == 404
    status, where = await one.post("/admin/users", email="new@example.org")
    assert status == 303 and where == f"/admin/users/{user(gateway, 'new@example.org')}"
    assert (await one.post("/admin/users", email="new@example.org"))[0] == 422


async def test_the_ledger_says_when_it_was_damaged(gateway: RunningGateway) -> None:
    one = await staff(gateway, "auditor")
    assert "when the server started" in (await one.get("/admin"))[1]
    assert (await one.post("/admin/ledger/verify"))[0] == 303
    assert "Everything agrees" in (await one.get("/admin"))[1]
    database = gateway.gateway.platform.database
    await database.write(lambda c: c.exec_driver_sql("UPDATE wallets SET balance_microusd = 1"))
    await one.post("/admin/ledger/verify")
    _, text = await one.get("/admin/ledger")
    assert "something wrong" in text and "The wallet of account" in text


async def test_the_audit_log_shows_reads_and_its_export_verifies(gateway: RunningGateway) -> None:
    one, id = await staff(gateway, "auditor"), user(gateway)
    await one.get(f"/admin/users/{id}")
    _, text = await one.get("/admin/audit")
    assert "accounts.read" in text and EMAIL in text
    response, text = await get(gateway, "/admin/audit/export", **one.cookie)
    assert response.headers["Content-Disposition"].startswith("attachment")
    *rows, last = map(json.loads, text.splitlines())
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[-1]["action"] == "audit.export" and EMAIL not in text
    head = Head.parse(last["head"])
    audit = gateway.gateway.platform.people.audit
    assert (await audit.verify(head)).findings == []
    await one.post("/admin/audit/verify", head=last["head"])
    _, text = await one.get("/admin/audit")
    assert "as they were written" in text and f"kept earlier: {last['head']}" in text
    await one.post("/admin/audit/verify", head=f"3:{'ab' * 32}")
    assert "it was cut" in (await one.get("/admin/audit"))[1]
    assert (await one.post("/admin/audit/verify", head="x"))[0] == 422


async def test_settings_show_their_source_and_no_secret(gateway: RunningGateway) -> None:
    one = await staff(gateway, "operator")
    _, text = await one.get("/admin/settings")
    assert "hunter2-secret" not in text and "set; not shown" in text
    shown = html.unescape(re.sub(r"<[^>]+>", " ", text))
    assert "server.max_connections" in shown and "flag" in shown and "default" in shown


async def test_a_check_that_takes_long_is_shown_while_it_runs(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await staff(gateway, "auditor")
    platform, go = gateway.gateway.platform, threading.Event()
    monkeypatch.setattr("gateway.web.console.admin.reports.PATIENCE_S", 0.01)

    def slow(connection: Connection, progress: Progress) -> Report:
        progress.begin(2, 12, 9_000)
        progress.count(1_500)
        go.wait(20)
        return Report(entries=9_000)

    monkeypatch.setattr("gateway.web.console.admin.reports.verify", slow)
    assert (await one.post("/admin/ledger/verify"))[0] == 303
    async with asyncio.timeout(20):
        while "part 2 of 12" not in (text := (await one.get("/admin/ledger"))[1]):
            await asyncio.sleep(0.01)
    assert "1,500 of 9,000 rows" in text and "Look again" in text
    assert "Check everything now" not in text  # one at a time
    assert "part 2 of 12" in (await one.get("/admin"))[1]
    go.set()
    await platform.checks.run(LEDGER, slow)
    _, text = await one.get("/admin/ledger")
    assert "9000 entries" in text and "Check everything now" in text
