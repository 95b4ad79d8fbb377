"""The registers in the console: entered, refused field by field, counted down, asked for."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.platform.registers.breaches import HOUR_US
from gateway.web.console.admin.frame import PAGE_ROWS
from gateway.web.console.i18n import iso
from tests.fakes.gateway import CATALOG, RunningGateway, running
from tests.fakes.upstream import FakeUpstream
from tests.web.admin.test_pages import staff
from tests.web.test_security_settings import Browser

BREACH = {
    "discovered": "a customer wrote",
    "nature": "addresses <b>were</b> shown\r\nto others",
    "persons": "12",
    "records": "40",
    "consequences": "unwanted mail",
    "measures": "the page was closed",
    "risk": "high",
}
AGREEMENT = {"provider": "up", "title": "DPA 7", "signed_by": "Ann", "signed": "2026-01-01"}
ATTESTATION = {
    "kind": "firewall",
    "done_by": "Walls Ltd",
    "done": "2026-01-01",
    "result": "sound",
    "next_due": "2026-01-09",
}


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", upstream) as one:
        yield one


@pytest.fixture
async def administrator(gateway: RunningGateway) -> Browser:
    return await staff(gateway)


async def once(one: Browser, path: str) -> str:
    found = re.search(r'name="once" value="(\w+)"', (await one.get(path))[1])
    assert found is not None
    return found[1]


async def enter(gateway: RunningGateway, one: Browser, hours_ago: int) -> str:
    aware_us = gateway.gateway.platform.clock.now_us() - hours_ago * HOUR_US
    form = BREACH | {"aware_at": iso(aware_us)[:16], "once": await once(one, "/admin/breaches")}
    status, where = await one.post("/admin/breaches", **form)
    assert status == 303, where
    return where


async def test_a_breach_is_entered_counted_down_and_added_to(
    gateway: RunningGateway, administrator: Browser
) -> None:
    where = await enter(gateway, administrator, 10)
    _, listed = await administrator.get("/admin/breaches")
    assert len(re.findall(r"6[12] hours left", listed)) == 2 and where in listed
    _, home = await administrator.get("/admin")
    assert "1 breach is still to be notified" in home and "hours left" in home
    _, page = await administrator.get(where)
    assert "addresses &lt;b&gt;were&lt;/b&gt; shown\nto others" in page and "<b>were" not in page
    notice = page[page.index('class="wrapped"') :]
    for fact in ("12", "40", "unwanted mail", "the page was closed", "Contact for questions"):
        assert fact in notice, fact
    now = iso(gateway.gateway.platform.clock.now_us())[:16]
    for act in ("authority_notified", "persons_notified"):
        form = {"act": act, "at": now, "once": await once(administrator, where)}
        assert await administrator.post(where, **form) == (303, where)
    _, home = await administrator.get("/admin")
    assert "still to be notified" not in home
    audit = await gateway.gateway.platform.people.audit.newest(50)
    written = [row for row in audit if row.action == "breaches.write" and not row.detail]
    assert len(written) == 3 and where.endswith(written[-1].target)
    assert "customer" not in str(audit)


async def test_an_overdue_breach_is_marked(gateway: RunningGateway, administrator: Browser) -> None:
    where = await enter(gateway, administrator, 80)
    for path in ("/admin", "/admin/breaches", where):
        assert "overdue" in (await administrator.get(path))[1], path
    now = iso(gateway.gateway.platform.clock.now_us())[:16]
    late = {"act": "authority_notified", "at": now, "once": await once(administrator, where)}
    status, text = await administrator.post(where, **late)
    assert status == 422 and "This must be filled in." in text
    late |= {"words": "the office was closed", "once": await once(administrator, where)}
    assert (await administrator.post(where, **late))[0] == 303
    _, page = await administrator.get(where)
    assert "notified late" in page and "Reasons for the delay" in page


async def test_blanks_are_refused_at_each_field_and_nothing_typed_is_lost(
    gateway: RunningGateway, administrator: Browser
) -> None:
    for path, fields in (
        ("/admin/breaches", 8),
        ("/admin/agreements", 4),
        ("/admin/attestations", 4),
    ):
        form = {"once": await once(administrator, path)}
        status, text = await administrator.post(path, **form)
        assert status == 422 and text.count("This must be filled in.") == fields, path
        assert text.count('aria-invalid="true"') == fields
    form = BREACH | {"aware_at": "soon", "once": await once(administrator, "/admin/breaches")}
    status, text = await administrator.post("/admin/breaches", **form)
    assert status == 422 and "Give a day and a time of day" in text
    assert "unwanted mail</textarea>" in text and 'value="12"' in text
    status, text = await administrator.post(
        "/admin/breaches", **form | {"aware_at": "2026-01-01T00:00"}
    )
    assert status == 303
    status, text = await administrator.post("/admin/breaches", **BREACH)
    assert status == 422
    assert (await administrator.get("/admin/breaches/brc_none"))[0] == 404


async def test_agreements_are_entered_and_the_last_one_counts(
    gateway: RunningGateway, administrator: Browser
) -> None:
    _, text = await administrator.get("/admin/agreements")
    assert "lacking" in text and "in force" not in text.split("<table")[1]
    for title, note in (("DPA 7", "javascript:alert(1)"), ("DPA 8", "https://dpa.example/8")):
        form = AGREEMENT | {"title": title, "note": note}
        form["once"] = await once(administrator, "/admin/agreements")
        assert (await administrator.post("/admin/agreements", **form))[0] == 303
    _, text = await administrator.get("/admin/agreements")
    assert "Replaced" in text and text.index("DPA 8") < text.index("Replaced") < text.index("DPA 7")
    assert 'href="https://dpa.example/8"' in text and 'href="javascript' not in text
    operator = await staff(gateway, "operator")
    _, seen = await operator.get("/admin/agreements")
    assert "DPA 8" in seen and 'action="/admin/agreements"' not in seen


async def test_what_is_due_again_waits_on_the_first_page(
    gateway: RunningGateway, administrator: Browser
) -> None:
    path = "/admin/attestations"
    form = ATTESTATION | {"once": await once(administrator, path)}
    assert (await administrator.post(path, **form))[0] == 303
    assert "overdue" in (await administrator.get(path))[1]
    auditor = await staff(gateway, "auditor")
    assert "1 attestation is overdue" in (await auditor.get("/admin"))[1]
    form |= {"done": "2026-01-08", "next_due": "", "once": await once(administrator, path)}
    assert (await administrator.post(path, **form))[0] == 303
    assert "overdue" not in (await administrator.get(path))[1]


async def test_long_registers_are_turned_page_by_page(
    gateway: RunningGateway, administrator: Browser
) -> None:
    platform = gateway.gateway.platform
    day = "2026-01-01"
    for number in range(PAGE_ROWS + 3):
        breach = BREACH | {"aware_at": f"{day}T00:{number:02}", "nature": f"case {number:02}."}
        await platform.breaches.enter(None, breach)
        await platform.agreements.enter(None, AGREEMENT | {"title": f"case {number:02}."})
        await platform.attestations.enter(None, ATTESTATION | {"result": f"case {number:02}."})
        await platform.incidents.enter(None, "incident", f"case {number:02}.", "It is over.")
    for name, total in (
        ("breaches", PAGE_ROWS + 3),
        ("attestations", PAGE_ROWS + 3),
        ("incidents", PAGE_ROWS + 3),
        ("agreements", PAGE_ROWS + 2),  # the one that counts stands apart, on every page
    ):
        path: str | None = f"/admin/{name}"
        seen: list[str] = []
        pages = 0
        while path is not None:
            status, text = await administrator.get(path)
            if name == "agreements":
                text = text[text.index("Replaced") :]
            seen += re.findall(r"case \d\d\.", text)
            following = re.search(rf'href="(/admin/{name}\?before=\w+)" rel="next"', text)
            assert status == 200 and (f'href="/admin/{name}"' in text.split("pages")[-1]) == (
                pages > 0
            )
            path, pages = (following[1] if following else None), pages + 1
        assert pages == 2 and len(seen) == total and seen == sorted(seen, reverse=True), name


async def test_a_provider_without_an_agreement_is_not_added_moved_or_given_a_model(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    asked = {"catalog_require_agreements": True}
    catalog = CATALOG.format(port=upstream.port, disconnect="abort")
    async with running(tmp_path / "first", upstream) as one:
        await one.command("catalog.apply", toml=catalog)
    async with running(tmp_path / "first", **asked) as one:
        administrator = await staff(one)
        own = {"name": "mine", "kind": "openai", "base_url": "https://api.example.com/v1"}
        for form in ({"preset": "groq", "api_key": "gsk-1"}, own):
            status, text = await administrator.post("/admin/providers", **form)
            assert status == 422 and "no agreement with it is in force" in text
        moved = {"base_url": "http://127.0.0.1:1/v1", "api_key": "k", "disconnect": "abort"}
        status, text = await administrator.post("/admin/providers/up", **moved, private="yes")
        assert status == 422 and "agreement" in text
        stay = {"base_url": f"http://127.0.0.1:{upstream.port}/v1", "disconnect": "drain"}
        stay |= {"private": "yes", "api_key": "sk-new"}  # a leaked key must be replaceable
        assert (await administrator.post("/admin/providers/up", **stay))[0] == 303
        model = {"name": "new", "provider": "up", "context_tokens": "9", "max_output_tokens": "9"}
        status, text = await administrator.post("/admin/models", **model)
        assert status == 422 and "agreement" in text
        assert "1 provider lacks an agreement" in (await administrator.get("/admin"))[1]
        form = AGREEMENT | {"once": await once(administrator, "/admin/agreements")}
        assert (await administrator.post("/admin/agreements", **form))[0] == 303
        assert (await administrator.post("/admin/models", **model))[0] == 303
        assert "lacks an agreement" not in (await administrator.get("/admin"))[1]
