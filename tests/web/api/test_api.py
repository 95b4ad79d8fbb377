"""The self-service API as a program meets it: what it answers, to whom, and what it refuses."""

import re
from typing import Any

import pytest

from gateway.web.api.application import OPERATIONS
from tests.fakes.gateway import RunningGateway
from tests.web.api.conftest import Program, signed_in, spend


async def test_money_is_that_of_the_ledger(gateway: RunningGateway, program: Program) -> None:
    await spend(gateway, 3)
    balance = await program.get("/balance")
    assert balance["balance"]["microusd"] == await gateway.balance_microusd()
    assert balance["available"] == balance["balance"] and balance["held"]["usd"] == "0.00"
    [lot] = balance["lots"]
    assert lot["granted"] == {"usd": "10.00", "microusd": 10_000_000}
    assert lot["remaining"] == balance["balance"]
    entries = (await program.get("/ledger"))["entries"]
    assert sum(entry["amount"]["microusd"] for entry in entries) == balance["balance"]["microusd"]
    assert [entry["kind"] for entry in entries] == ["charge"] * 3 + ["adjustment"]
    usage = await program.get("/usage")
    [row] = usage["rows"]
    spent = 10_000_000 - balance["balance"]["microusd"]
    assert (row["requests"], row["cost"]["microusd"], row["group"]) == (3, spent, None)


async def test_pages_hold_each_row_once(gateway: RunningGateway, program: Program) -> None:
    await spend(gateway, 5)
    await gateway.command("credits.grant", email="someone@example.com", usd="1", reason="more")
    await spend(gateway, 2)
    for path, name in (("/requests", "requests"), ("/ledger", "entries")):
        whole = (await program.get(f"{path}?limit=200"))[name]
        seen: list[Any] = []
        cursor = ""
        while True:
            page = await program.get(f"{path}?limit=2{cursor}")
            seen += page[name]
            if page["next"] is None:
                break
            assert len(page[name]) == 2
            cursor = f"&before={page['next']}"
        assert seen == whole and len(whole) == (7 if name == "requests" else 9)


@pytest.mark.parametrize("by", ["hour", "day", "model", "key", "provider"])
async def test_usage_is_grouped_without_losing_any(
    gateway: RunningGateway, program: Program, by: str
) -> None:
    await spend(gateway, 2)
    [whole] = (await program.get("/usage"))["rows"]
    rows = (await program.get(f"/usage?group_by={by}"))["rows"]
    assert all(row["group"] for row in rows)
    for name in ("requests", "input_tokens", "output_tokens"):
        assert sum(row[name] for row in rows) == whole[name]


async def test_a_request_says_which_application_sent_it(
    gateway: RunningGateway, program: Program
) -> None:
    names = {"X-Title": "My App", "HTTP-Referer": "https://app.example/secret?secret"}
    asked = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "hi"}]}
    for headers in (names, {"X-Title": "B"}, {}, names):
        assert (await gateway.post(asked, **headers)).status == 200
    await gateway.settled()
    requests = (await program.get("/requests"))["requests"][::-1]
    told = {"title": "My App", "site": "https://app.example"}
    assert [each["application"] for each in requests] == [
        told,
        {"title": "B", "site": None},
        None,
        told,
    ]
    assert (await program.get(f"/requests/{requests[0]['id']}"))["application"] == told
    rows = (await program.get("/usage?group_by=application"))["rows"]
    assert [(row["group"], row["requests"]) for row in rows] == [
        ("B", 1),
        ("My App \u00b7 https://app.example", 2),
    ]


async def test_a_key_is_made_bound_rotated_and_ended(
    gateway: RunningGateway, program: Program
) -> None:
    made = await program.call(
        "POST", "/keys", {"name": "ci", "expires_days": 3, "bounds": {"models": ["m"]}}
    )
    assert made.status == 201 and made.json["text"].startswith("sk-tg-")
    id, gateway.key = made.json["id"], made.json["text"]
    await spend(gateway, 1)
    shown = await program.get(f"/keys/{id}")
    assert shown["bounds"]["models"] == ["m"] and shown["state"] == "active" and shown["expires"]
    assert made.json["text"] not in str(shown)
    changed = await program.call("PATCH", f"/keys/{id}", {"name": "other", "expires_days": None})
    assert changed.json["name"] == "other" and changed.json["expires"] is None
    assert changed.json["bounds"] == shown["bounds"]  # what is left out stays
    await gateway.command("limits.set_key", key=id, requests_per_minute=7)
    turned = await program.call("POST", f"/keys/{id}/rotate", {"grace_hours": 0})
    assert turned.status == 201
    assert (await gateway.post({"model": "m", "messages": []})).status == 401
    limits = await gateway.command("limits.show", key=turned.json["id"])
    assert "7" in str(limits)
    assert (await program.call("DELETE", f"/keys/{turned.json['id']}")).status == 204
    states = {key["id"]: key["state"] for key in (await program.get("/keys"))["keys"]}
    assert states[id] == states[turned.json["id"]] == "revoked"


async def test_the_profile_changes_by_field(program: Program) -> None:
    changed = await program.call("PATCH", "/account", {"company": "Ann & Co", "language": "fr"})
    assert changed.json["profile"] == {"company": "Ann & Co", "language": "fr"}
    changed = await program.call("PATCH", "/account", {"language": ""})
    assert changed.json["profile"] == {"company": "Ann & Co"}
    wrong = await program.call("PATCH", "/account", {"language": "xx"})
    assert (wrong.status, wrong.json["error"]["param"]) == (400, "language")


async def test_an_api_key_reads_only_what_is_its_own(
    gateway: RunningGateway, program: Program
) -> None:
    await spend(gateway, 2)
    other = (await program.call("POST", "/keys", {"name": "other"})).json
    reader = Program(gateway, {"Authorization": f"Bearer {other['text']}"})
    assert (await reader.get("/requests"))["requests"] == []
    assert (await reader.get("/usage"))["rows"][0]["requests"] == 0
    assert (await reader.get("/balance"))["lots"] == []
    [first, _] = (await program.get("/requests"))["requests"]
    assert (await reader.call("GET", f"/requests/{first['id']}")).status == 404
    assert (await reader.call("GET", f"/usage?key={first['key_id']}")).status == 404
    owner = Program(gateway, {"Authorization": f"Bearer {gateway.key}"})
    assert await owner.get(f"/requests/{first['id']}") == first
    for each in OPERATIONS:
        path = re.sub(r"\{\w+\}", other["id"], each.path)
        answer = await owner.call(each.method, path, {} if each.body else None)
        if not each.key_may:
            assert (answer.status, answer.code) == (403, "permission_denied"), each.name
    # A key in the header counts, whatever session stands beside it.
    both = Program(gateway, program.headers | owner.headers)
    assert (await both.call("GET", "/account")).status == 403


async def test_a_bound_ended_or_unknown_key_reads_nothing(
    gateway: RunningGateway, program: Program
) -> None:
    bounds = {"addresses": ["203.0.113.0/24"]}
    bound = (await program.call("POST", "/keys", {"name": "b", "bounds": bounds})).json
    away = Program(gateway, {"Authorization": f"Bearer {bound['text']}"})
    assert (await away.call("GET", "/balance")).code == "key_not_allowed"
    await program.call("DELETE", f"/keys/{bound['id']}")
    for value in (f"Bearer {bound['text']}", "Bearer x", "Basic x", "", f"Token {gateway.key}"):
        answer = await Program(gateway, {"Authorization": value}).call("GET", "/balance")
        assert (answer.status, answer.code) == (401, "invalid_api_key"), value
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_another_tenants_things_are_not_there(
    gateway: RunningGateway, program: Program
) -> None:
    await spend(gateway, 1)
    [request] = (await program.get("/requests"))["requests"]
    stranger = await signed_in(gateway, "stranger@example.org")
    for method, path, body in (
        ("GET", f"/requests/{request['id']}", None),
        ("GET", f"/requests?key={request['key_id']}", None),
        ("GET", f"/usage?key={request['key_id']}", None),
        ("GET", f"/keys/{request['key_id']}", None),
        ("PATCH", f"/keys/{request['key_id']}", {"name": "mine"}),
        ("POST", f"/keys/{request['key_id']}/rotate", {}),
        ("DELETE", f"/keys/{request['key_id']}", None),
    ):
        answer = await stranger.call(method, path, body)
        assert (answer.status, answer.code) == (404, "not_found"), path
    assert (await stranger.get("/ledger"))["entries"] == []


async def test_every_refusal_is_json(gateway: RunningGateway, program: Program) -> None:
    nobody = Program(gateway, {})
    for who, method, path, body, status, code in (
        (nobody, "GET", "/account", None, 401, "not_signed_in"),
        (program, "GET", "/nothing", None, 404, "endpoint_not_found"),
        (program, "PUT", "/account", None, 405, "method_not_allowed"),
        (program, "GET", "/requests?limit=0", None, 400, "invalid_request"),
        (program, "GET", "/requests?limit=1&limit=2", None, 400, "invalid_request"),
        (program, "GET", "/requests?colour=red", None, 400, "invalid_request"),
        (program, "GET", "/ledger?before=x", None, 400, "invalid_request"),
        (program, "GET", "/usage?since=5&until=5", None, 400, "invalid_request"),
        (program, "POST", "/keys", {"name": "a", "admin": True}, 400, "invalid_request"),
        (program, "POST", "/keys", {"name": "\u0007"}, 400, "invalid_request"),
        (program, "POST", "/keys", None, 415, "unsupported_media_type"),
        (program, "POST", "/keys", {"name": "x" * 20_000}, 413, "invalid_request"),
    ):
        answer = await who.call(method, path, body)
        assert (answer.status, answer.code) == (status, code), (path, answer.body)
        assert answer.headers["Content-Type"].startswith("application/json")


async def test_no_other_site_can_call_with_the_cookie(
    gateway: RunningGateway, program: Program
) -> None:
    cookie = {"Cookie": program.headers["Cookie"]}
    for headers in (
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": gateway.url},
    ):
        caller = Program(gateway, cookie | headers)
        for method in ("POST", "PATCH", "DELETE"):
            answer = await caller.call(method, "/keys", {"name": "stolen"})
            assert (answer.status, answer.code) == (403, "permission_denied"), headers
    assert len((await program.get("/keys"))["keys"]) == 1
    answer = await program.call("GET", "/account", Origin="https://evil.example")
    assert "Access-Control-Allow-Origin" not in answer.headers
