"""An organisation's keys by the API: each part sees and changes what is its own, and no more."""

from typing import Any

import pytest

from gateway.platform.organisations import Organisation, Part
from tests.fakes.gateway import EMAIL, RunningGateway, chat
from tests.web.api.conftest import Program, signed_in

PARTS: tuple[Part, ...] = ("owner", "manager", "member")


@pytest.fixture
async def firm(gateway: RunningGateway) -> Organisation:
    """An organisation with credit, owned by the gateway's first account."""
    platform = gateway.gateway.platform
    made = await platform.organisations.found(platform.accounts.named(EMAIL), "Firm")
    await gateway.command("credits.grant", email=made.account.email, usd="1", reason="shared")
    return made


async def joined(gateway: RunningGateway, firm: Organisation, name: str, part: Part) -> Program:
    program = await signed_in(gateway, f"{name}@example.com")
    account = gateway.gateway.platform.accounts.named(f"{name}@example.com")
    await gateway.gateway.platform.organisations.put(None, firm, account, part)
    return program


async def new_key(program: Program, firm: Organisation, **wanted: Any) -> dict[str, str]:
    made = await program.call("POST", f"/organisations/{firm.id}/keys", {"name": "k"} | wanted)
    assert made.status == 201, made.body
    found: dict[str, str] = made.json
    return found


async def test_a_member_makes_bounds_rotates_and_ends_a_key(
    gateway: RunningGateway, firm: Organisation
) -> None:
    ann = await joined(gateway, firm, "ann", "member")
    keys = f"/organisations/{firm.id}/keys"
    wanted = {"name": "ci", "expires_days": 3, "bounds": {"models": ["m"]}}
    made = await new_key(ann, firm, **wanted)
    gateway.key = made["text"]
    assert (await gateway.post(chat())).status == 200
    assert (await gateway.post({"model": "sandbox/echo", "messages": []})).status == 403
    shown = await ann.get(f"{keys}/{made['id']}")
    assert (shown["email"], shown["state"]) == ("ann@example.com", "active")
    assert shown["bounds"]["models"] == ["m"] and shown["expires"]
    assert made["text"] not in str(shown) + str(await ann.get(keys))
    changed = await ann.call("PATCH", f"{keys}/{made['id']}", {"name": "other"})
    assert (changed.json["name"], changed.json["expires"]) == ("other", shown["expires"])
    await gateway.command("limits.set_key", key=made["id"], requests_per_minute=7)
    turned = await ann.call("POST", f"{keys}/{made['id']}/rotate", {"grace_hours": 0})
    assert turned.status == 201 and turned.json["name"] == "other"
    assert (await gateway.post(chat())).status == 401
    gateway.key = turned.json["text"]
    assert (await gateway.post(chat())).status == 200
    assert "7" in str(await gateway.command("limits.show", key=turned.json["id"]))
    again = await ann.call("POST", f"{keys}/{made['id']}/rotate", {})
    assert (again.status, again.code) == (400, "invalid_request")
    assert (await ann.call("DELETE", f"{keys}/{turned.json['id']}")).status == 204
    assert (await gateway.post(chat())).status == 401
    states = [key["state"] for key in (await ann.get(keys))["keys"]]
    assert states == ["revoked", "revoked"]
    rows = await gateway.gateway.platform.people.audit.newest(20)
    account = gateway.gateway.platform.accounts.named("ann@example.com")
    done = [row.action for row in rows if row.actor == account.id]
    assert done == ["keys.revoke", "keys.rotate", "keys.change", "keys.create"]


async def test_spending_after_a_rotation_is_still_that_members(
    gateway: RunningGateway, firm: Organisation
) -> None:
    owner, ann = await signed_in(gateway), await joined(gateway, firm, "ann", "member")
    made = await new_key(ann, firm)
    path = f"/organisations/{firm.id}/keys/{made['id']}/rotate"
    turned = await owner.call("POST", path, {"grace_hours": 1})
    assert turned.status == 201
    for text in (made["text"], turned.json["text"]):
        gateway.key = text
        assert (await gateway.post(chat())).status == 200
    await gateway.settled()
    spent = await gateway.gateway.platform.organisations.spent_this_month(firm)
    assert spent.keys() == {gateway.gateway.platform.accounts.named("ann@example.com").no}
    shown = await ann.get(f"/organisations/{firm.id}/keys/{turned.json['id']}")
    assert shown["email"] == "ann@example.com"


async def test_each_part_reaches_what_its_desk_shows(
    gateway: RunningGateway, firm: Organisation
) -> None:
    programs = {"owner": await signed_in(gateway)}
    for part in PARTS[1:]:
        programs[part] = await joined(gateway, firm, part, part)
    made = {part: (await new_key(programs[part], firm, name=part))["id"] for part in PARTS}
    operators = (await gateway.command("keys.create", email=firm.account.email, name="op"))["id"]
    keys = f"/organisations/{firm.id}/keys"
    for part, program in programs.items():
        everything = part != "member"
        listed = {key["id"]: key["email"] for key in (await program.get(keys))["keys"]}
        assert listed.keys() == ({*made.values(), operators} if everything else {made[part]})
        for id in (*made.values(), operators):
            seen = everything or id == made[part]
            assert (await program.call("GET", f"{keys}/{id}")).status == (200 if seen else 404)
            changed = await program.call("PATCH", f"{keys}/{id}", {"name": "again"})
            assert changed.status == (200 if seen else 404)
            if not seen:
                assert (await program.call("DELETE", f"{keys}/{id}")).status == 404
                assert (await program.call("POST", f"{keys}/{id}/rotate", {})).status == 404
    rotated = await programs["owner"].call("POST", f"{keys}/{operators}/rotate", {})
    assert rotated.status == 400 and "owner has left" in rotated.json["error"]["message"]
    for id in (made["member"], operators):
        assert (await programs["manager"].call("DELETE", f"{keys}/{id}")).status == 204
    shown = await programs["member"].get(f"{keys}/{made['member']}")
    assert shown["state"] == "revoked"


async def test_an_organisations_keys_are_not_ones_own_nor_anothers(
    gateway: RunningGateway, firm: Organisation
) -> None:
    owner = await signed_in(gateway)
    shared = await new_key(owner, firm)
    own = (await owner.call("POST", "/keys", {"name": "mine"})).json
    assert (await owner.call("GET", f"/keys/{shared['id']}")).status == 404
    path = f"/organisations/{firm.id}/keys"
    assert (await owner.call("GET", f"{path}/{own['id']}")).status == 404
    other = await gateway.gateway.platform.organisations.found(
        gateway.gateway.platform.accounts.named(EMAIL), "Other"
    )
    elsewhere = f"/organisations/{other.id}/keys/{shared['id']}"
    for method, suffix, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("POST", "/rotate", {}),
        ("DELETE", "", None),
    ):
        answer = await owner.call(method, elsewhere + suffix, body)
        assert (answer.status, answer.code) == (404, "not_found"), method
    gone = await joined(gateway, firm, "gone", "member")
    theirs = await new_key(gone, firm)
    account = gateway.gateway.platform.accounts.named("gone@example.com")
    await gateway.gateway.platform.organisations.remove(None, firm, account)
    assert (await gone.call("GET", f"{path}/{theirs['id']}")).status == 404
    assert (await gone.call("POST", path, {"name": "again"})).status == 404
    reader = Program(gateway, {"Authorization": f"Bearer {shared['text']}"})
    assert (await reader.call("GET", path)).code == "permission_denied"
