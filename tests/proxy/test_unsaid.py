"""A request that one target cannot be told goes to another; a writer's refusal ends its stream."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.proxy.dialects.messages import stream_writer
from tests.fakes import routes
from tests.fakes.gateway import chat, running
from tests.fakes.upstream import DONE, FakeUpstream, answering, chunk, completion, streaming

RESPONSES = f'{routes.KEY}\nendpoints = ["responses"]'


def catalog(first: FakeUpstream, second: FakeUpstream, other: str = routes.KEY) -> str:
    """Model m at a provider of Responses, then at another."""
    one = routes.providers([first], RESPONSES)
    two = routes.providers([first, second], other).partition('name = "up1"')[2]
    return one + '[[providers]]\nname = "up1"' + two + routes.model([0, 1])


async def test_another_target_that_can_be_told_is_asked(tmp_path: Path) -> None:
    async with routes.fakes(2) as (first, second):
        second.handler = answering(completion())
        text = catalog(first, second)
        async with running(tmp_path / "data", catalog=text) as gateway:
            for _ in range(40):  # more than the tokens that retries cost
                answer = await gateway.post(chat(stop=["x"]))
                assert answer.status == 200
            assert first.requests == [] and len(second.requests) == 40
            second.handler = answering({}, 500)
            answer = await gateway.post(chat(stop=["x"]))
            assert answer.code == "upstream_failed"  # it could have been told
            await gateway.assert_nothing_leaked()


async def test_it_is_refused_where_none_can(tmp_path: Path) -> None:
    async with routes.fakes(2) as (first, second):
        text = catalog(first, second, RESPONSES)
        async with running(tmp_path / "data", catalog=text) as gateway:
            answer = await gateway.post(chat(stop=["x"]))
            assert (answer.status, answer.code) == (400, "untranslatable_field")
            assert not first.requests and not second.requests
            assert (await gateway.rows())[0]["cost_microusd"] == 0
            await gateway.assert_nothing_leaked()


def call(index: int, arguments: str) -> bytes:
    made: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
    if not arguments:
        made |= {"id": f"call_{index}", "type": "function"}
        made["function"]["name"] = "f"
    return chunk(tool_calls=[made])


async def test_calls_over_the_bound_end_the_stream_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_writer, "MAX_WAITING_BYTES", 1000)
    async with routes.fakes(1) as (upstream,):
        text = routes.providers([upstream]) + routes.model([0])
        upstream.handler = streaming(
            call(0, ""), call(1, ""), *[call(1, "1" * 100)] * 20, chunk(finish="tool_calls"), DONE
        )
        text = text.replace("[[providers]]", '[[providers]]\nendpoints = ["chat"]')
        async with running(tmp_path / "data", catalog=text) as gateway:
            asked = {**chat(stream=True), "max_tokens": 100}
            answer = await gateway.post(asked, "/v1/messages")
            events = [
                json.loads(line[6:]) for line in answer.body.splitlines() if b"data: " in line
            ]
            assert events[-1]["type"] == "error"
            assert "message_stop" not in [event["type"] for event in events]
            [row] = await gateway.rows()
            assert (row["outcome"], row["basis"]) == ("upstream_failed", "measured")
            await gateway.assert_nothing_leaked()


@pytest.mark.parametrize("size", [10, 200_000])
async def test_what_another_family_signed_does_not_go_on(tmp_path: Path, size: int) -> None:
    items: list[dict[str, Any]] = [
        {"role": "user", "content": "x" * size},
        {"type": "reasoning", "summary": [], "encrypted_content": "tallygate:anthropic:sealed"},
        {"type": "reasoning", "summary": [], "encrypted_content": "own"},
    ]
    async with routes.fakes(1) as (upstream,):
        text = routes.providers([upstream]) + routes.model([0])
        async with running(tmp_path / "data", catalog=text) as gateway:
            await gateway.post({"model": "m", "input": items}, "/v1/responses")
            assert upstream.requests[0].json["input"] == [items[0], items[2]]
