"""The official openai SDK reads our Responses answers and accumulates our streams."""

from typing import Any

import msgspec
import openai
import pydantic
import pytest
from openai.types.responses import Response

from gateway.proxy.dialects.neutral import (
    Answer,
    Text,
    Thinking,
    ToolCall,
)
from gateway.proxy.dialects.responses import RESPONSES
from tests.proxy.dialects.answers import ANSWERS, FACTS
from tests.proxy.dialects.loopback import Serve, answering
from tests.proxy.dialects.neutral_values import events_of


def client(address: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=address + "/v1", api_key="k", max_retries=0)


def check(response: Response, answer: Answer) -> None:
    pydantic.TypeAdapter(Response).validate_python(response.model_dump())  # all fields are there
    assert response.model == "shop/model"
    assert response.status == ("incomplete" if answer.stop == "length" else "completed")
    assert response.output_text == "".join(p.text for p in answer.parts if isinstance(p, Text))
    calls = [item for item in response.output if item.type == "function_call"]
    assert [(c.call_id, c.name, c.arguments) for c in calls] == [
        (p.id, p.name, p.arguments) for p in answer.parts if isinstance(p, ToolCall)
    ]
    assert response.usage is not None
    assert response.usage.input_tokens == 10
    assert response.usage.input_tokens_details.cached_tokens == 3
    assert response.usage.output_tokens_details.reasoning_tokens == 7
    assert response.usage.total_tokens == 30


@pytest.mark.parametrize("name", ANSWERS)
async def test_whole_answers(aiohttp_server: Serve, name: str) -> None:
    answer = ANSWERS[name]
    body = RESPONSES.write_answer(answer, FACTS)
    address = await answering(aiohttp_server, body, "application/json")
    async with client(address) as sdk:
        check(await sdk.responses.create(model="m", input="hi"), answer)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("pieces", [1, 100])
async def test_streams(aiohttp_server: Serve, name: str, pieces: int) -> None:
    answer = ANSWERS[name]
    writer = RESPONSES.stream_writer(FACTS)
    body = b"".join(writer.write([event]) for event in events_of(answer, pieces))
    address = await answering(aiohttp_server, body, "text/event-stream", piece=97)
    texts: list[str] = []
    last: Any = None
    async with client(address) as sdk, sdk.responses.stream(model="m", input="hi") as stream:
        async for event in stream:
            assert event.type != "error"
            if event.type == "response.output_text.delta":
                texts.append(event.delta)
            last = event
    assert "".join(texts) == "".join(p.text for p in answer.parts if isinstance(p, Text))
    check(last.response, answer)


async def test_what_the_sdk_received_comes_back_in_its_next_request() -> None:
    answer = ANSWERS["thinking and parallel calls"]
    response = Response.model_validate_json(RESPONSES.write_answer(answer, FACTS))
    turn = [item.model_dump(mode="json") for item in response.output]
    request = msgspec.json.encode({"model": "m", "input": turn})
    (message,) = RESPONSES.read_request(request).messages
    assert message.parts == (
        Thinking("let me see", "c2ln", "anthropic"),
        Text("I look."),
        ToolCall("call_a", "look", '{"city":"Bern"}'),
        Thinking("", "Z3M=", "gemini"),
        ToolCall("call_b", "look", '{"city":"Rom"}'),
    )
