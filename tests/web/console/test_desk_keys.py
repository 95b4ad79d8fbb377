"""Keys in the console and the playground's own: made, shown once, bound, limited, ended."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from gateway.platform.keys.short import PLAYGROUND_NO
from gateway.store.schema.keys import api_keys
from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.web.console.test_desk_pages import Person, sign_in, spend


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


def secret_of(text: str) -> str:
    found = re.search(r'class="secret"><code>(sk-tg-\w{43})</code>', text)
    assert found is not None
    return found[1]


async def make(person: Person, **fields: str) -> tuple[str, str]:
    """The text and the id of a new key."""
    _, text = await person.post("/console/keys", 200, **{"name": "made"} | fields)
    return secret_of(text), await id_of(person.gateway, secret_of(text))


async def id_of(gateway: RunningGateway, text: str) -> str:
    """The id of a key by its text."""
    keys = gateway.gateway.platform.keys
    key = keys.ring.find(text)
    assert key is not None
    [id] = [row.id for row in await keys.listing() if row.no == key.no]
    return id


async def ask(gateway: RunningGateway, key: str, model: str = "sandbox/echo") -> int:
    gateway.key = key
    return (await gateway.post({**chat(), "model": model})).status


async def test_a_key_is_shown_once_and_does_what_its_form_says(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    day = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}"
    text, id = await make(
        person,
        models="sandbox/echo, sandbox/e*",
        endpoint_chat="yes",
        addresses="127.0.0.0/8\n2001:db8::/32",
        expires=day,
        requests_per_minute="2",
        month_microusd="1.5",
    )
    for path in ("/console/keys", f"/console/keys/{id}", "/console"):
        assert text not in await person.get(path), path
    assert text[:12] in await person.get("/console/keys")
    form = await person.get(f"/console/keys/{id}")
    for part in ("sandbox/e*", "2001:db8::/32", f'value="{day}"', 'value="2"', 'value="1.5'):
        assert part in form, part
    assert await ask(gateway, text, "sandbox/lorem") == 403
    assert await ask(gateway, text) == 200
    await gateway.settled()
    listed = await person.get("/console/keys")
    assert 'title="$1.50"' in listed and "of $1.50" in re.sub(r"<[^>]+>", "", listed)
    assert [await ask(gateway, text) for _ in range(2)].count(429) >= 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("models", "a b*c"),
        ("addresses", "example.com"),
        ("expires", "2001-01-01"),
        ("expires", "tomorrow"),
        ("requests_per_minute", "0"),
        ("tokens_per_minute", "1e9"),
        ("day_microusd", "-1"),
        ("month_microusd", "a lot"),
    ],
)
async def test_a_field_that_is_wrong_is_named(
    gateway: RunningGateway, field: str, value: str
) -> None:
    person = await sign_in(gateway)
    _, text = await person.post("/console/keys", 422, **{"name": "n"} | {field: value})
    assert 'role="alert"' in text and 'aria-invalid="true"' in text and "sk-tg-" not in text
    account = gateway.gateway.platform.accounts.named(EMAIL)
    assert len(await gateway.gateway.platform.keys.listing(account)) == 1


async def test_a_key_is_changed_rotated_and_revoked(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    text, id = await make(person, models="sandbox/echo", day_microusd="5")
    await person.post(f"/console/keys/{id}", 303, name="other", models="sandbox/lorem")
    assert await ask(gateway, text) == 403
    assert await ask(gateway, text, "sandbox/lorem") == 200
    await person.post(f"/console/keys/{id}", 303, name="other", models="", day_microusd="5")
    _, page = await person.post(f"/console/keys/{id}/rotate", 200, grace="1h")
    new = secret_of(page)
    assert [await ask(gateway, each) for each in (text, new)] == [200, 200]
    platform = gateway.gateway.platform
    new_id = await id_of(gateway, new)
    limits = platform.tiers.of_key(await platform.keys.named(new_id))
    assert limits.day_microusd == 5_000_000
    await person.post(f"/console/keys/{id}/rotate", 409, grace="1h")
    await person.post(f"/console/keys/{new_id}/rotate", 422, grace="99y")
    await person.post(f"/console/keys/{id}/revoke", 303, confirm="other")
    assert [await ask(gateway, each) for each in (text, new)] == [401, 200]
    await person.post(f"/console/keys/{id}", 422, name="again")
    response, _ = await person.post(f"/console/keys/{new_id}/leaked", 303, confirm="other")
    assert await ask(gateway, new) == 401
    assert response.headers["Location"].startswith("/console/logs?key=")
    assert "leaked" in await person.get("/console/keys?ended=1")
    acts = [row.action for row in await platform.people.audit.newest(10)]
    assert acts[:3] == ["keys.leaked", "keys.revoke", "keys.rotate"]
    assert (await platform.people.audit.verify()).findings == []


async def test_an_unused_key_is_new_or_not_used_for_long(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    _, id = await make(person, name="fresh")
    text = await person.get("/console/keys")
    assert text.count(">never<") == 2 and "not in 90 days" not in text
    platform = gateway.gateway.platform
    old_us = platform.clock.now_us() - 91 * 86_400 * 10**6
    age = update(api_keys).where(api_keys.c.id == id).values(created_us=old_us)
    await platform.database.write(lambda c: c.execute(age))
    text = await person.get("/console/keys")
    assert text.count(">never<") == 1 and text.count("not in 90 days") == 1


async def test_the_playground_pays_like_everybody(gateway: RunningGateway) -> None:
    person = await sign_in(gateway)
    page = await person.get("/console/playground?model=sandbox/echo")
    assert not re.search(r"sk-tg-\w", page) and "<option selected>sandbox/echo</option>" in page
    response, _ = await person.post("/console/playground/key", 200)
    assert response.headers["Cache-Control"] == "no-store"
    short = (await response.json())["key"]
    gateway.key = short
    await spend(gateway, 2)
    rows = await gateway.rows()
    spent = sum(row["cost_microusd"] for row in rows)
    assert await gateway.balance_microusd() == 10_000_000 - spent
    assert "Playground" in await person.get("/console/usage?by=key")
    platform = gateway.gateway.platform
    await platform.tiers.set_account(platform.accounts.named(EMAIL), {"requests_per_minute": 1})
    assert [await ask(gateway, short) for _ in range(2)].count(429) >= 1
    assert platform.keys.ring.find(short) is not None
    listed = await platform.keys.listing(platform.accounts.named(EMAIL))
    assert all(row.no != PLAYGROUND_NO for row in listed) and len(listed) == 1


async def test_a_playground_key_ends_with_its_session(gateway: RunningGateway) -> None:
    """By sign-out, suspension or a newer key, within a second or so; one key a session."""
    platform = gateway.gateway.platform
    person, other = await sign_in(gateway), await sign_in(gateway)

    async def short(one: Person) -> str:
        response, _ = await one.post("/console/playground/key", 200)
        return str((await response.json())["key"])

    async def gone(key: str) -> None:
        async with asyncio.timeout(10):
            while platform.keys.ring.find(key) is not None:
                await asyncio.sleep(0.02)

    first, second, third = await short(person), await short(person), await short(other)
    assert platform.keys.ring.find(first) is None
    await person.post("/sign-out", 303)
    await gone(second)
    assert await ask(gateway, third) == 200
    await gateway.command("accounts.suspend", email=EMAIL)
    assert await ask(gateway, third) in (401, 403)
    await gone(third)
    assert len(platform.short_keys) == 0


async def test_a_stranger_gets_no_playground_key(gateway: RunningGateway) -> None:
    nobody = Person(gateway, "x" * 43)
    response, _ = await nobody.post("/console/playground/key", 303)
    assert response.headers["Location"] == "/sign-in"
    person = await sign_in(gateway)
    async with gateway.session.post(
        f"{gateway.url}/console/playground/key",
        headers={"Cookie": f"token={person.token}", "Sec-Fetch-Site": "cross-site"},
    ) as refused:
        assert refused.status == 403
