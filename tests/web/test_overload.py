"""Too much of anything is refused, said once, and over when it is over: memory, connections."""

import asyncio
import contextlib
import json
import logging
from pathlib import Path

import pytest

from gateway.web import memory
from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import DONE, FakeUpstream, chunk, streaming, usage_event


def test_the_limit_is_the_settings_or_the_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, old = tmp_path / "memory.max", tmp_path / memory._OF_VERSION_1
    old.parent.mkdir()
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN_GROUP", tmp_path / "cgroup")
    assert memory.limit_bytes(0) == 0 and memory.limit_bytes(7) == 7
    old.write_text("9223372036854771712\n")
    assert memory.limit_bytes(0) == 0
    old.write_text("2147483648\n")
    assert memory.limit_bytes(0) == 2 << 30
    new.write_text("max\n")
    assert memory.limit_bytes(0) == 2 << 30
    new.write_text("1073741824\n")
    assert memory.limit_bytes(0) == 1 << 30 and memory.limit_bytes(9) == 9
    service = tmp_path / "system.slice" / "tallygate.service"
    service.mkdir(parents=True)
    (tmp_path / "cgroup").write_text("1:name=systemd:/x\n0::/system.slice/tallygate.service\n")
    assert memory.limit_bytes(0) == 1 << 30
    (service / "memory.max").write_text("536870912\n")
    assert memory.limit_bytes(0) == 1 << 29  # a service's own, within the machine's
    (service.parent / "memory.max").write_text("1048576\n")
    assert memory.limit_bytes(0) == 1 << 20


def test_nine_tenths_are_enough() -> None:
    now = memory.resident_bytes()
    assert now > 10 << 20
    assert not memory.is_short(0) and not memory.is_short(now * 2) and memory.is_short(now)


async def until(gateway: RunningGateway, short: bool) -> None:
    async with asyncio.timeout(10):
        while gateway.plane.short_of_memory != short:
            await asyncio.sleep(0.02)


async def test_short_of_memory_new_requests_are_refused_and_old_ones_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    upstream = await FakeUpstream().start()
    words = [chunk(f"{n} ") for n in range(60)]
    async with running(tmp_path / "data", upstream, server_memory_limit_bytes=1 << 40) as gateway:
        assert (await gateway.post(chat())).status == 200
        upstream.handler = streaming(*words, usage_event(9, 60), DONE, pause_s=0.02)
        stream = asyncio.ensure_future(gateway.post(chat(stream=True)))
        while not gateway.plane.active:
            await asyncio.sleep(0.01)
        with caplog.at_level(logging.WARNING, "tallygate.web"), monkeypatch.context() as patched:
            patched.setattr(memory, "resident_bytes", lambda: 1 << 40)
            await until(gateway, True)
            for body, path in ((chat(), "/v1/chat/completions"), (chat(), "/v1/messages")):
                answer = await gateway.post(body, path)
                assert answer.status == 503 and answer.headers["Retry-After"] == "1"
                assert "overloaded" in json.dumps(answer.json)
            async with gateway.session.get(gateway.url + "/readyz") as response:
                assert response.status == 503
            async with gateway.session.get(gateway.url + "/healthz") as response:
                assert response.status == 200
        assert (await stream).body.endswith(DONE)
        await until(gateway, False)
        assert [record.message for record in caplog.records] == ["memory_short", "memory_recovered"]
        upstream.handler = streaming(*words[:2], DONE)
        assert (await gateway.post(chat(stream=True))).status == 200
        await gateway.assert_nothing_leaked()
    await upstream.stop()


async def test_connections_over_the_limit_are_cut_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path / "data", server_max_connections=5) as gateway:
        with caplog.at_level(logging.WARNING, "tallygate.web"):
            opened = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(40)]
            cut = 0
            for reader, writer in opened[5:]:
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 5) == b""
                cut += 1
                writer.close()
            assert cut == 35 and gateway.gateway.server.connections == 5
        assert [record.message for record in caplog.records] == ["connections_at_limit"]
        for _, writer in opened[:5]:
            writer.close()
        async with asyncio.timeout(5):
            while gateway.gateway.server.connections:
                await asyncio.sleep(0.01)
        assert (await gateway.post({**chat(), "model": "sandbox/echo"})).status == 200
