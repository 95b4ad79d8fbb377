"""Incidents as people meet them: entered by the staff, told on the status page and the console."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.platform.request_log.rollup import DAY_US
from tests.fakes.gateway import RunningGateway, running
from tests.web.admin.test_pages import staff
from tests.web.test_public import get
from tests.web.test_security_settings import Browser

PAGE = "/admin/incidents"
FORM = {"kind": "incident", "title": "Slow <answers>", "words": "We look\r\ninto it."}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


async def customer(gateway: RunningGateway) -> Browser:
    people = gateway.gateway.platform.people
    account = await people.accounts.create("customer@example.com")
    return Browser(gateway, await people.sessions.open(account))


def main_of(text: str) -> str:
    return text[text.index("<main") : text.index("</main>")]


async def test_an_incident_by_form_from_first_to_last(gateway: RunningGateway) -> None:
    one, reader = await staff(gateway, "operator"), await customer(gateway)
    assert "No incident and no maintenance" in (await get(gateway, "/status"))[1]
    status, where = await one.post(PAGE, **FORM)
    assert status == 303 and where.startswith(f"{PAGE}/inc_")
    _, told = await get(gateway, "/status")
    assert "Slow &lt;answers&gt;" in told and "There is an incident" in told
    assert "answers&gt;" in main_of((await reader.get("/console"))[1])
    _, text = await reader.get("/console/keys")
    assert "answers&gt;" not in text and re.search(r'class="badge warn" href="/status"', text)
    assert await one.post(f"{where}/updates", words="A provider fails.") == (303, where)
    assert "A provider fails." in (await get(gateway, "/status"))[1]
    assert await one.post(f"{where}/end") == (303, where)
    status, text = await one.post(f"{where}/end")
    assert status == 422 and "It is over already." in text
    _, told = await get(gateway, "/status")
    assert "There is an incident" not in told and "Slow &lt;answers&gt;" in told
    for path in ("/console", "/console/keys"):
        assert 'warn slim"' not in (text := (await reader.get(path))[1])
        assert 'class="badge warn" href="/status"' not in text


async def test_a_wrong_one_vanishes_and_its_reason_stays(gateway: RunningGateway) -> None:
    one = await staff(gateway)
    _, where = await one.post(PAGE, **FORM)
    status, text = await one.post(f"{where}/withdraw", reason=" ")
    assert status == 422 and "A reason is 1 to 200" in text
    assert await one.post(f"{where}/withdraw", reason="it was elsewhere") == (303, where)
    assert "answers" not in main_of((await get(gateway, "/status"))[1])
    for role in ("auditor", "support"):
        reader = await staff(gateway, role)  # type: ignore[arg-type]
        _, text = await reader.get(where)
        assert "it was elsewhere" in text and "<form" not in main_of(text)
        assert (await reader.post(PAGE, **FORM))[0] == 403
    rows = await gateway.gateway.platform.people.audit.newest(40)
    mine = [row.detail for row in rows if row.target == where.rpartition("/")[2]]
    assert {"withdrawn", "entered incident", f"POST {PAGE}/{{id}}/withdraw"} <= {*mine}


async def test_maintenance_is_announced_three_days_before(gateway: RunningGateway) -> None:
    platform, reader = gateway.gateway.platform, await customer(gateway)
    now_us = platform.clock.now_us()
    for days, title in ((4, "A later move"), (2, "A move")):
        span = {"begins_us": now_us + days * DAY_US, "ends_us": now_us + (days + 1) * DAY_US}
        await platform.incidents.enter(None, "maintenance", title, "We move.", **span)
        shown = days < 3
        _, text = await reader.get("/console")
        assert ("Maintenance from" in main_of(text)) == shown
    _, told = await get(gateway, "/status")
    assert told.index("A move<") < told.index("A later move<")
    assert "There is an incident" not in told and "The gateway is up" in told


async def test_days_of_the_models_concerned_are_marked(gateway: RunningGateway) -> None:
    for model in ("sandbox/echo", "sandbox/lorem"):
        await gateway.post({"model": model, "messages": [{"role": "user", "content": "hi"}]})
    await gateway.settled()
    platform = gateway.gateway.platform
    now_us = platform.clock.now_us()
    noon_us = now_us // DAY_US * DAY_US - DAY_US // 2
    span = {"begins_us": noon_us - 2 * DAY_US, "ends_us": noon_us}
    await platform.incidents.enter(
        None, "incident", "Slow", "Why.", models=["sandbox/echo"], **span
    )
    _, text = await get(gateway, "/status")
    strips = dict(
        re.findall(r'<code>(sandbox/\w+)</code></h2>\s*(<svg class="uptime".*?</svg>)', text, re.S)
    )
    assert strips["sandbox/echo"].count('class="mark"') == 3
    assert strips["sandbox/echo"].count("· Slow</title>") == 3
    assert "3 days with an incident" in strips["sandbox/echo"]
    assert 'class="mark"' not in strips["sandbox/lorem"]
    assert "A mark above" in text


async def test_a_refused_form_comes_back_as_it_was_typed(gateway: RunningGateway) -> None:
    one = await staff(gateway, "operator")
    wrong = FORM | {"models": "sandbox/echo, none/such", "begins": "2020-01-01T10:00"}
    status, text = await one.post(PAGE, **wrong)
    assert status == 422 and "Slow &lt;answers&gt;" in text and 'value="2020-01-01T10:00"' in text
    status, text = await one.post(PAGE, **(wrong | {"begins": ""}))
    assert status == 422 and "The catalog has no model none/such." in text
    assert (await one.get(f"{PAGE}/inc_none"))[0] == 404
    assert (await one.post(f"{PAGE}/inc_none/end"))[0] == 404


async def test_no_page_asks_the_database_for_what_is_told(gateway: RunningGateway) -> None:
    """What is told comes from memory: it is told still when its table has gone."""
    platform = gateway.gateway.platform
    await platform.incidents.enter(None, "incident", "Slow", "Why.")
    reader = await customer(gateway)
    await platform.database.write(
        lambda c: c.exec_driver_sql("ALTER TABLE incidents RENAME TO gone")
    )
    assert "Slow" in (await get(gateway, "/status"))[1]
    assert "Slow" in (await reader.get("/console"))[1]
