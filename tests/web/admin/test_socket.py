import asyncio
import json
import logging
import os
import socket
import stat

import pytest

from gateway.base.config import load
from gateway.platform.assembly import open_platform
from gateway.platform.keys.spread import Crowd
from gateway.web.admin.address import SOCKET_FILE, short_path
from gateway.web.admin.commands import COMMANDS, run_command
from gateway.web.admin.socket import AdminSocket


@pytest.fixture
async def platform(tmp_path):
    opened = await open_platform(load(environ={}), tmp_path / "data", environ={})
    yield opened
    await opened.close()


async def ask(path, head, body=b""):
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(head + b"\r\nHost: x\r\nConnection: close\r\n")
    writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.fixture
async def path(platform):
    served = AdminSocket(platform)
    await served.start()
    yield platform.folder.file(SOCKET_FILE)
    await served.stop()
    assert not platform.folder.file(SOCKET_FILE).exists()


async def test_only_the_owner_may_open_the_socket(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(path.stat().st_mode)


async def test_a_command_answers_its_result(path):
    status, answer = await ask(
        path, b"POST /commands/accounts.create HTTP/1.1", b'{"email": "a@b.c"}'
    )
    assert (status, answer["result"]["email"]) == (200, "a@b.c")
    status, answer = await ask(path, b"POST /commands/ledger.verify HTTP/1.1")
    assert (status, answer["result"]["ok"]) == (200, True)


@pytest.mark.parametrize(
    ("head", "body", "status", "words"),
    [
        (b"POST /commands/nothing HTTP/1.1", b"{}", 400, "unknown command 'nothing'"),
        (b"POST /commands/keys.create HTTP/1.1", b"{", 400, "the parameters are not JSON"),
        (b"POST /commands/keys.create HTTP/1.1", b"{}", 400, "missing required field `email`"),
        (b"POST /commands/keys.list HTTP/1.1", b'{"emial": 1}', 400, "unknown field `emial`"),
        (b"POST /commands/keys.list HTTP/1.1", b'{"email": 1}', 400, "Expected `str | null`"),
        (b"POST /commands/accounts.link HTTP/1.1", b'{"email": "x@y.z"}', 400, "no account"),
    ],
)
async def test_a_refusal_is_one_line(path, head, body, status, words):
    found, answer = await ask(path, head, body)
    assert found == status
    assert words in answer["error"] and "\n" not in answer["error"]


async def test_a_failure_names_no_parameter(path, platform, monkeypatch, caplog):
    async def fails(_, params):
        raise RuntimeError(f"cannot store {params.toml}")

    apply = COMMANDS["catalog.apply"]
    monkeypatch.setitem(COMMANDS, "catalog.apply", type(apply)(apply.params, fails))
    caplog.set_level(logging.ERROR)
    body = json.dumps({"toml": "api_key = 'hunter2'"}).encode()
    status, answer = await ask(path, b"POST /commands/catalog.apply HTTP/1.1", body)
    assert status == 500 and "hunter2" not in answer["error"]
    assert "hunter2" not in caplog.records[0].getMessage()


async def test_a_socket_left_by_a_killed_server_is_replaced(platform):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(platform.folder.file(SOCKET_FILE)))
    left.close()
    served = AdminSocket(platform)
    await served.start()
    status, _ = await ask(
        platform.folder.file(SOCKET_FILE), b"POST /commands/accounts.list HTTP/1.1"
    )
    assert status == 200
    await served.stop()


async def test_a_revoked_key_is_refused_at_once_and_its_listing_says_so(path, platform):
    first = platform.first_start
    assert platform.keys.ring.find(first.key) is not None
    shown = json.dumps({"key": first.key[:12]}).encode()
    status, _ = await ask(path, b"POST /commands/keys.revoke HTTP/1.1", shown)
    assert status == 200
    assert platform.keys.ring.find(first.key) is None


@pytest.mark.parametrize("length", [10, 99, 120, 200])
def test_a_short_path_leads_to_the_same_socket(tmp_path, length):
    folder = tmp_path / ("x" * length)
    folder.mkdir()
    with short_path(folder / "s") as address:
        assert len(os.fsencode(address)) <= 107
        made = socket.socket(socket.AF_UNIX)
        made.bind(address)
        made.close()
    assert stat.S_ISSOCK((folder / "s").stat().st_mode)


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_no_command_answers_anything_but_plain_values(platform, name):
    [key] = await platform.keys.listing()
    owner = {"email": "admin@localhost", "name": "Firm"}
    firm = (await run_command(platform, "organisations.create", owner))["id"]
    for address in ("ann@b.c", "bob@b.c"):
        await run_command(platform, "accounts.create", {"email": address})
    await run_command(platform, "organisations.put", {"id": firm, "email": "ann@b.c"})
    day, text = (
        "2026-01-01",
        dict.fromkeys(("discovered", "nature", "consequences", "measures"), "x"),
    )
    breach = text | {"aware_at": f"{day}T00:00", "persons": "1", "records": "1", "risk": "high"}
    signed = {"provider": "up", "title": "DPA", "signed_by": "Ann", "signed": day}
    incident = {"kind": "incident", "title": "Slow", "text": "We look into it."}
    told = (await run_command(platform, "incidents.add", incident))["id"]
    samples = {
        "breaches.add": breach,
        "agreements.add": signed,
        "attestations.add": {"kind": "firewall", "done_by": "x", "done": day, "result": "x"},
        "policy.announce": {"name": "2", "words": "Shorter.", "effective": "2099-01-01"},
        "incidents.add": incident,
        "incidents.update": {"id": told, "text": "Still slow."},
        "incidents.end": {"id": told},
        "incidents.withdraw": {"id": told, "reason": "It was another place."},
        "accounts.create": {"email": "new@b.c"},
        "accounts.role": {"email": "admin@localhost", "role": "administrator"},
        "accounts.purge": {"email": "bob@b.c", "reason": "minor"},
        "credits.grant": {"email": "admin@localhost", "usd": "1", "reason": "r"},
        "credits.revoke": {"email": "admin@localhost", "usd": "1", "reason": "r"},
        "organisations.create": {"email": "admin@localhost", "name": "Others"},
        "organisations.members": {"id": firm},
        "organisations.put": {"id": firm, "email": "bob@b.c"},
        "organisations.remove": {"id": firm, "email": "ann@b.c"},
        "keys.create": {"email": "admin@localhost", "name": "k"},
        "keys.revoke": {"key": "first key", "email": "admin@localhost"},
        "catalog.apply": {"toml": ""},
        "keys.cache": {"key": key.id, "ttl_s": 60},
        "limits.set": {"email": "admin@localhost", "requests_per_minute": 9},
        "limits.set_key": {"key": key.id, "requests_per_minute": 9},
        "limits.show": {"email": "admin@localhost"},
        "providers.add": {"preset": "groq", "dry_run": True},
        "tiers.set": {"name": "gold", "requests_per_minute": 9},
        "tiers.remove": {"name": "silver"},
    }
    if name == "breaches.update":
        entered = (await run_command(platform, "breaches.add", breach))["id"]
        samples[name] = {"id": entered, "act": "facts", "words": "x"}
    if name.startswith("reviews."):
        platform.reviews.suspect(key, Crowd(21, platform.clock.now_us()))
        [case] = await platform.reviews.open_due()
        samples["reviews.close"] = {"id": case.id, "finding": "leaked", "text": "In a log."}
    platform.live["providers.health"] = list
    await platform.tiers.set_tier("silver", {"requests_per_minute": 9})
    takes_email = {"email": "admin@localhost"}
    fields = COMMANDS[name].params.__struct_fields__
    params = samples.get(name, takes_email if fields == ("email",) else {})
    result = await run_command(platform, name, params)
    assert json.loads(json.dumps(result)) == result
