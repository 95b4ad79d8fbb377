"""From a request's address to a review case: counted at the door, told of, and kept nowhere."""

import ipaddress
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.base.telemetry import Metrics
from gateway.platform.keys import parse_scope
from gateway.platform.mail import Letter
from gateway.web.console.letters import Letters
from gateway.workers import review_cases
from tests.fakes.canary import Canaries
from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.fakes.process import serving
from tests.web.test_security_settings import Browser

PROXIED: dict[str, Any] = {"server_trusted_proxies": "127.0.0.0/8", "keys_spread_networks": 3}
ECHO = chat() | {"model": "sandbox/echo"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data", **PROXIED) as one:
        yield one


def forwarded(number: int) -> dict[str, str]:
    """As a proxy says that the client is in another network, whatever the client says before."""
    return {"X-Forwarded-For": f"8.8.8.8, 198.51.{number}.7"}


async def cases(gateway: RunningGateway) -> list[dict[str, Any]]:
    """Those that are open or closed, after the worker has looked."""
    await review_cases(gateway.gateway.platform, Metrics())
    return list(await gateway.command("reviews.list"))


async def letters(gateway: RunningGateway) -> list[Letter]:
    sent = await gateway.gateway.platform.people.mail.undelivered()
    return [each.letter for each in sent if each.letter.kind == "key_spread"]


async def use(gateway: RunningGateway, *headers: dict[str, str], status: int = 200) -> None:
    for each in headers:
        assert (await gateway.post(ECHO, **each)).status == status


async def test_one_network_more_than_may_opens_one_case_and_nothing_is_blocked(
    gateway: RunningGateway,
) -> None:
    await use(gateway, *(forwarded(number) for number in (1, 2, 3, 1, 2, 3)))
    assert await cases(gateway) == []
    await use(gateway, forwarded(4))
    [case] = await cases(gateway)
    assert (case["state"], case["networks"], case["most_networks"]) == ("open", 4, 3)
    assert case["email"] == EMAIL and gateway.key.startswith(case["prefix"])
    await use(gateway, *(forwarded(number) for number in range(20)))
    assert [each["id"] for each in await cases(gateway)] == [case["id"]]
    [letter] = await letters(gateway)
    written = Letters("https://gate.example").write(letter)
    assert letter.to == EMAIL and "“test”" in written.text and case["prefix"] in written.text
    assert "more than 3 networks within 24 hours" in written.text
    assert f"https://gate.example/console/keys/{case['key']}" in written.text
    assert (await gateway.post(ECHO)).status == 200


async def test_one_network_is_one_however_many_addresses_and_connections(
    gateway: RunningGateway,
) -> None:
    for last in range(1, 12):
        await use(gateway, {"X-Forwarded-For": f"198.51.100.{last}"})
        await use(gateway, {"X-Forwarded-For": f"2001:db8:7:{last}::1", "Connection": "close"})
    assert len(gateway.gateway.platform.spread) == 2
    assert await cases(gateway) == []


async def test_unknown_and_inner_addresses_count_for_nothing(gateway: RunningGateway) -> None:
    inner = ("10.0.{}.1", "192.168.{}.1", "100.64.{}.1", "127.0.{}.1", "fd00:{}::1", "fe80::{}")
    for form in (*inner, "nonsense{}"):
        for number in range(5):
            await use(gateway, {"X-Forwarded-For": form.format(number)})
    await use(gateway, {})
    assert len(gateway.gateway.platform.spread) == 0 and await cases(gateway) == []


async def test_without_a_trusted_proxy_the_header_is_the_clients_own_word(tmp_path: Path) -> None:
    async with running(tmp_path / "data", keys_spread_networks=3) as one:
        await use(one, *(forwarded(number) for number in range(9)))
        assert len(one.gateway.platform.spread) == 0


async def test_zero_counts_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "data", **PROXIED | {"keys_spread_networks": 0}) as one:
        await use(one, *(forwarded(number) for number in range(9)))
        assert len(one.gateway.platform.spread) == 0 and await cases(one) == []


async def test_only_uses_that_are_let_in_count(gateway: RunningGateway) -> None:
    """Not what a wrong key, a suspended account or the key's own bounds keep out."""
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    wrong = {"Authorization": "Bearer sk-tg-" + "x" * 43}
    await use(gateway, *(forwarded(n) | wrong for n in range(9)), status=401)
    await platform.accounts.set_state(account, "suspended")
    await use(gateway, *(forwarded(n) for n in range(9)), status=403)
    await platform.accounts.set_state(account, "active")
    scope = parse_scope([], [], ["203.0.113.0/24"])
    gateway.key = (await platform.keys.issue(account, "bound", scope=scope)).text
    await use(gateway, *(forwarded(n) for n in range(9)), status=403)
    assert len(platform.spread) == 0


async def test_keys_of_the_playground_are_not_counted(gateway: RunningGateway) -> None:
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    session = await platform.people.sessions.find(await platform.people.sessions.open(account))
    assert session is not None  # the keys of one that is not are ended twice a second
    gateway.key = platform.short_keys.issue(account, session.id).text
    await use(gateway, *(forwarded(number) for number in range(9)))
    assert len(platform.spread) == 0


async def test_a_turn_of_a_realtime_session_counts_like_a_request(gateway: RunningGateway) -> None:
    url = f"{gateway.url}/v1/realtime?model=sandbox/echo"
    for number in range(4):
        headers = {"Authorization": f"Bearer {gateway.key}"} | forwarded(number)
        with pytest.raises(aiohttp.WSServerHandshakeError):  # the sandbox has none
            await gateway.session.ws_connect(url, headers=headers)
    assert len(await cases(gateway)) == 1


async def test_a_connection_is_looked_at_once_for_each_key_and_client(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    spread = gateway.gateway.platform.spread
    is_new = spread.is_new

    def counted(key_no: int, origin: bytes, now_us: int) -> bool:
        asked.append(key_no)
        return is_new(key_no, origin, now_us)

    monkeypatch.setattr(spread, "is_new", counted)
    platform = gateway.gateway.platform
    other = (await platform.keys.issue(platform.accounts.named(EMAIL), "other")).text
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        gateway.session, mine = session, gateway.key
        await use(gateway, *([forwarded(1)] * 5))
        assert len(asked) == 1
        await use(gateway, forwarded(2), forwarded(2), forwarded(1))
        assert len(asked) == 3
        for key in (other, other, mine):
            gateway.key = key
            await use(gateway, forwarded(1))
        assert len(asked) == 5 and len(set(asked)) == 2


async def test_the_holder_sees_what_was_noticed_and_then_what_it_was(
    gateway: RunningGateway,
) -> None:
    await use(gateway, *(forwarded(number) for number in range(4)))
    [case] = await cases(gateway)
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    browser = Browser(gateway, await platform.people.sessions.open(account))
    page = f"/console/keys/{case['key']}"
    _, text = await browser.get(page)
    assert "More than 3 networks used the key within 24 hours." in text
    assert "Nothing was blocked" in text and "make a new key in its place" in text
    assert "many networks" in (await browser.get("/console/keys"))[1]
    await gateway.command("reviews.close", id=case["id"], finding="own_use", text="They travel.")
    _, text = await browser.get(page)
    assert "the holder's own use" in text and "They travel." not in text
    assert "many networks" not in (await browser.get("/console/keys"))[1]


async def test_staff_see_it_on_the_first_page_and_close_it(gateway: RunningGateway) -> None:
    people = gateway.gateway.platform.people
    first = await people.accounts.create("first@example.org", "operator")
    browser = Browser(gateway, await people.sessions.open(first))
    assert "No key was used from so many networks." in (await browser.get("/admin/reviews"))[1]
    assert "Nothing waits." in (await browser.get("/admin"))[1]
    await use(gateway, *(forwarded(number) for number in range(4)))
    [case] = await cases(gateway)
    one = f"/admin/reviews/{case['id']}"
    for role, writes in (("auditor", False), ("operator", True), ("support", True)):
        account = await people.accounts.create(f"{role}@example.org", role)  # type: ignore[arg-type]
        browser = Browser(gateway, await people.sessions.open(account))
        assert "1 review case is open" in (await browser.get("/admin"))[1]
        status, listed = await browser.get("/admin/reviews")
        assert status == 200 and one in listed and case["prefix"] in listed
        status, text = await browser.get(one)
        assert (status, 'name="finding"' in text) == (200, writes)
        assert (EMAIL in text) == (role != "operator")  # who may not read accounts
        if not writes:
            assert (await browser.post(one + "/close", finding="leaked", words="x"))[0] == 403
    status, text = await browser.post(one + "/close", finding="", words="Found <b>it</b>.")
    assert status == 422 and "There is no such finding." in text and "Found &lt;b&gt;" in text
    assert (await browser.post(one + "/close", finding="leaked", words="In a\nlog."))[0] == 303
    text = (await browser.get(one))[1]
    assert "known to somebody else" in text and 'name="finding"' not in text
    assert (await browser.post(one + "/close", finding="unclear", words="x"))[0] == 422
    assert "review case" not in (await browser.get("/admin"))[1]
    assert (await browser.get("/admin/reviews/rev_none"))[0] == 404
    rows = await people.audit.newest(200)
    acts = {(row.actor, row.action, row.detail) for row in rows if row.target == case["id"]}
    assert (account.id, "reviews.read", "GET /admin/reviews/{id}") in acts
    assert (account.id, "reviews.write", "closed: leaked") in acts
    assert {row.role for row in rows if row.action == "reviews.open"} == {"gateway"}


async def test_pages_of_cases_follow_each_other(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.console.admin.reviews.PAGE_ROWS", 2)
    platform = gateway.gateway.platform
    account = platform.accounts.named(EMAIL)
    for index in range(5):
        gateway.key = (await platform.keys.issue(account, f"key {index}")).text
        await use(gateway, *(forwarded(number) for number in range(4)))
    ids = [each["id"] for each in await cases(gateway)]
    await gateway.command("reviews.close", id=ids[0], finding="unclear", text="x")
    staff = await platform.accounts.create("staff@example.org", "support")
    browser = Browser(gateway, await platform.people.sessions.open(staff))
    found, page = [], "/admin/reviews"
    while page:
        text = (await browser.get(page))[1]
        found += re.findall(r'href="/admin/reviews/(rev_\w+)"', text)
        following = re.findall(r'href="(/admin/reviews\?[^"]+)"', text)
        page = following[0].replace("&amp;", "&") if following else ""
    assert found == [*ids[1:], ids[0]]


ADDRESSES = [f"198.51.{number}.{200 - number}" for number in range(100, 106)]
ADDRESSES += [f"2001:db8:{number:x}::{number:x}" for number in range(0xA1, 0xA6)]


async def test_no_address_is_kept_or_told_anywhere(tmp_path: Path) -> None:
    """The whole gateway at log level debug, through a case: folder, log, metrics and pages."""
    canaries = Canaries()
    for address in ADDRESSES:
        first = address.rpartition("." if "." in address else "::")[0]
        canaries.needles[address] = {first.encode(), first.encode().hex().encode()}
        if ":" in address:  # the octets of an IPv4 network are too few to be found by
            canaries.needles[address].add(ipaddress.ip_address(address).packed[:6])
    assert canaries.found_in(b"from 198.51.103.9") == {ADDRESSES[3]}
    settings: dict[str, Any] = {
        "TALLYGATE_LOG_LEVEL": "debug",
        "TALLYGATE_LOG_REQUESTS": "true",
        "TALLYGATE_SERVER_TRUSTED_PROXIES": "127.0.0.0/8",
        "TALLYGATE_KEYS_SPREAD_NETWORKS": "3",
    }
    with serving(tmp_path / "data", **settings) as process:
        process.key = process.fund("5")
        async with aiohttp.ClientSession() as session:
            for address in ADDRESSES:
                async with session.post(
                    process.url + "/v1/chat/completions",
                    json=ECHO,
                    headers={
                        "Authorization": f"Bearer {process.key}",
                        "X-Forwarded-For": address,
                    },
                ) as response:
                    assert response.status == 200
            rows: list[Any] = []
            while not rows:
                rows = process.run("reviews", "list")
            async with session.get(process.url + "/metrics") as response:
                told = await response.read()
        assert process.terminate() == 0
        told += process.banner.encode() + repr(rows).encode()
    assert rows[0]["networks"] == 4
    assert b"reviews.open" in (tmp_path / "data" / "tallygate.db").read_bytes()
    log = (tmp_path / "stderr.log").read_bytes()
    assert b"review case opened" in log and rows[0]["id"].encode() in log
    assert canaries.found_in(told) == set()
    assert canaries.found_under(tmp_path) == {}
