"""Organisations as people meet them: invited, spending what is shared, bounded, shown by part."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.platform.organisations.parts import PARTS
from tests.fakes.gateway import RunningGateway, running
from tests.web.test_matrix import DECLARED, Victim, request
from tests.web.test_security_settings import Browser

PAGE = "/console/organisations"
ROW = {"role": "user", "content": "Hello"}
CHAT = {"model": "sandbox/lorem:tokens=50,tps=0", "messages": [ROW], "max_tokens": 60}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        one.gateway.platform.people.passwords.cost = 4
        yield one


async def person(gateway: RunningGateway, name: str) -> Browser:
    people = gateway.gateway.platform.people
    account = await people.accounts.create(f"{name}@example.com")
    return Browser(gateway, await people.sessions.open(account))


async def firm(gateway: RunningGateway) -> tuple[Any, dict[str, Browser]]:
    """An organisation with credit and somebody in every part, invited and joined by page."""
    platform = gateway.gateway.platform
    people = {name: await person(gateway, name) for name in (*PARTS, "stranger")}
    status, where = await people["owner"].post(PAGE, name="Firm")
    assert status == 303
    for part in ("manager", "member"):
        form = {"email": f"{part}@example.com", "part": part, "limit": ""}
        assert await people["owner"].post(f"{where}/invitations", **form) == (303, where)
        token = next(
            each.letter.token
            for each in await platform.people.mail.undelivered()
            if each.letter.to == form["email"]
        )
        status, text = await people[part].get(f"/invitations/{token}")
        accept = re.search(r'action="(/console/invitations/[^"]+/accept)"', text)
        assert status == 200 and accept is not None and "owner@example.com" in text
        assert await people["stranger"].post(accept[1]) != (303, where)
        assert await people[part].post(accept[1]) == (303, where)
    organisation = platform.organisations.named(where.rpartition("/")[2])
    await gateway.command(
        "credits.grant", email=organisation.account.email, usd="1", reason="shared"
    )
    return organisation, people


async def new_key(browser: Browser, name: str) -> str:
    status, text = await browser.post("/console/keys", name=name)
    found = re.search(r"sk-tg-\w{43}", text)
    assert status == 200 and found is not None
    return found[0]


async def test_a_member_spends_what_is_shared_up_to_their_share_of_it(
    gateway: RunningGateway,
) -> None:
    organisation, people = await firm(gateway)
    here = f"{PAGE}/{organisation.id}"
    for part in ("member", "owner"):
        assert (await people[part].post("/console/desk", organisation=organisation.id))[0] == 303
    first, second = [await new_key(people["member"], name) for name in ("one", "two")]
    own = gateway.key
    gateway.key = first
    answer = await gateway.post(CHAT)
    assert answer.status == 200
    await gateway.settled()
    spent = (await gateway.gateway.platform.organisations.spent_this_month(organisation)).values()
    assert sum(spent) == 1_000_000 - gateway.gateway.platform.ledger.balance(
        organisation.account.no
    )
    member = organisation.members[
        gateway.gateway.platform.accounts.named("member@example.com").no
    ].account
    change = f"{here}/members/{member.id}"
    limited = await people["manager"].post(change, part="member", limit="0.000001")
    assert limited == (303, here)
    for key in (first, second):
        gateway.key = key
        refused = await gateway.post(CHAT)
        assert (refused.status, refused.code) == (429, "budget_exceeded")
        assert "budget of the member for this month" in refused.json["error"]["message"]
    messages = {"model": "sandbox/lorem", "messages": [ROW], "max_tokens": 9}
    refused = await gateway.post(messages, "/v1/messages")
    assert refused.status == 429 and refused.json["type"] == "error"
    gateway.key = await new_key(people["owner"], "owner's")
    assert (await gateway.post(CHAT)).status == 200  # the limit is one member's
    assert (await people["manager"].post(change, part="member", limit=""))[0] == 303
    gateway.key = second
    assert (await gateway.post(CHAT)).status == 200
    assert await people["owner"].post(f"{change}/remove", confirm=member.email) == (303, here)
    assert (await gateway.post(CHAT)).status == 401
    gateway.key = own
    await gateway.assert_nothing_leaked()


async def test_each_part_sees_what_is_its_own(gateway: RunningGateway) -> None:
    organisation, people = await firm(gateway)
    for part in PARTS:
        await people[part].post("/console/desk", organisation=organisation.id)
        gateway.key = await new_key(people[part], f"key of {part}")
        assert (await gateway.post(CHAT)).status == 200
    newest_first = [row["id"] for row in await gateway.rows()]
    rows = dict(zip(newest_first, reversed(PARTS), strict=True))
    for part in PARTS:
        seen = {other for other in PARTS if f"key of {other}" in await text(people[part], "keys")}
        assert seen == ({part} if part == "member" else set(PARTS)), part
        for id, whose in rows.items():
            status, _ = await people[part].get(f"/console/logs/{id}")
            assert status == (404 if part == "member" and whose != part else 200), (part, whose)
        listed = re.findall(r"/console/logs/(req_\w+)", await text(people[part], "logs"))
        assert len(set(listed)) == (1 if part == "member" else 3), part
        csv = (await text(people[part], "usage.csv?by=key")).splitlines()
        assert len(csv) == (2 if part == "member" else 4), csv
        assert ("shared" in await text(people[part], "billing")) == (part != "member")
        status, page = await people[part].get(f"{PAGE}/{organisation.id}")
        assert status == 200 and ("manager@example.com" in page) == (part != "member"), part
    await people["stranger"].post("/console/desk", organisation=organisation.id)
    assert "key of" not in await text(people["stranger"], "keys")
    await people["member"].post(f"{PAGE}/{organisation.id}/leave", confirm="Firm")
    assert "key of" not in await text(people["member"], "keys")  # the desk went with the part


async def text(browser: Browser, page: str) -> str:
    return (await browser.get(f"/console/{page}"))[1]


# What each part may reach of another organisation's routes: every other attempt changes nothing.
REACH = {
    ("POST", "/console/organisations/{id}"): {"owner"},
    ("POST", "/console/organisations/{id}/invitations"): {"owner", "manager"},
    ("POST", "/console/organisations/{id}/invitations/{invitation}/withdraw"): {"owner", "manager"},
    ("POST", "/console/organisations/{id}/members/{member}"): {"owner"},
    ("POST", "/console/organisations/{id}/members/{member}/remove"): {"owner"},
    ("POST", "/console/organisations/{id}/transfer"): {"owner"},
    ("POST", "/console/organisations/{id}/leave"): set(PARTS),
    ("GET", "/console/organisations/{id}/invitations/{invitation}/withdraw"): {"owner", "manager"},
    ("GET", "/console/organisations/{id}/members/{member}/remove"): {"owner"},
    ("GET", "/console/organisations/{id}/transfer"): {"owner"},
    ("PATCH", "/api/v1/organisations/{id}"): {"owner"},
    ("PATCH", "/api/v1/organisations/{id}/members/{member}"): {"owner"},
    ("DELETE", "/api/v1/organisations/{id}/members/{member}"): {"owner"},
    ("POST", "/api/v1/organisations/{id}/transfer"): {"owner"},
    ("POST", "/api/v1/organisations/{id}/keys"): set(PARTS),
    ("GET", "/api/v1/organisations/{id}/keys/{key}"): {"owner", "manager"},
    ("PATCH", "/api/v1/organisations/{id}/keys/{key}"): {"owner", "manager"},
    ("POST", "/api/v1/organisations/{id}/keys/{key}/rotate"): {"owner", "manager"},
    ("DELETE", "/api/v1/organisations/{id}/keys/{key}"): {"owner", "manager"},
    ("GET", "/api/v1/organisations/{id}/invitations"): {"owner", "manager"},
    ("POST", "/api/v1/organisations/{id}/invitations"): {"owner", "manager"},
    ("DELETE", "/api/v1/organisations/{id}/invitations/{invitation}"): {"owner", "manager"},
}


@pytest.mark.parametrize("part", ["member", "manager", "former member"])
async def test_every_route_of_an_organisation_by_every_part(
    gateway: RunningGateway, part: str
) -> None:
    """Only what a part may: refused attempts leave the organisation, its owner, its key whole."""
    victim = await Victim(gateway).make()
    room = victim.platform.organisations
    visitor = await person(gateway, "visitor")
    account = gateway.gateway.platform.accounts.named("visitor@example.com")
    role: Any = "manager" if part == "manager" else "member"
    await room.put(victim.account, victim.shared, account, role)
    if part == "former member":
        await room.remove(victim.account, victim.shared, account)
    routes = [
        each
        for each in DECLARED
        if "/organisations/{id}" in each[1] and not each[1].startswith("/admin/")
    ]
    assert {each for each in routes if each[0] != "GET"} <= REACH.keys()
    for method, canonical in routes:
        allowed = part in REACH.get((method, canonical), set(PARTS))
        if allowed and method != "GET":
            continue  # what it does is the business of other tests
        path = victim.path(canonical)
        answer = await request(gateway, method, path, visitor.token)
        good = answer.status in (200, 201, 204, 303)
        assert good is allowed, (part, method, canonical, answer.status)
        assert victim.shared.members[victim.account.no].part == "owner"
        assert victim.shared.name == "Theirs"
        assert victim.shared.keys == {victim.shared_key.key.no: victim.account.no}
        waiting = await victim.platform.invitations.waiting(victim.shared)
        assert waiting == [victim.invitation], canonical
    assert len(victim.shared.members) == (1 if part == "former member" else 2)


async def test_the_playground_spends_a_members_share(gateway: RunningGateway) -> None:
    organisation, people = await firm(gateway)
    member = gateway.gateway.platform.accounts.named("member@example.com")
    await people["member"].post("/console/desk", organisation=organisation.id)
    for _ in range(2):
        status, body = await people["member"].post("/console/playground/key")
        found = re.search(r"sk-tg-\w{43}", body)
        assert status == 200 and found is not None
    gateway.key = found[0]
    assert (await gateway.post(CHAT)).status == 200
    await gateway.settled()
    spent = await gateway.gateway.platform.organisations.spent_this_month(organisation)
    assert spent.keys() == {member.no} and len(organisation.keys) == 1
    await people["member"].post("/console/desk", organisation="")
    assert (await gateway.post(CHAT)).status == 401  # its desk is another now
