"""The official google-genai SDK reads our Gemini answers and streams, and we read its requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from google import genai
from google.genai import types

from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.neutral import (
    Answer,
    Conversation,
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tests.proxy.dialects.answers import ANSWERS, FACTS
from tests.proxy.dialects.loopback import Serve, answering
from tests.proxy.dialects.neutral_values import events_of


@asynccontextmanager
async def client(address: str) -> AsyncIterator[Any]:
    # The session it would make itself warns of deprecations, and warnings are errors here.
    async with aiohttp.ClientSession() as http:
        options = types.HttpOptions(base_url=address, api_version="v1beta", aiohttp_client=http)
        sdk = genai.Client(api_key="k", http_options=options)
        yield sdk.aio
        sdk.close()


def check(responses: list[types.GenerateContentResponse], answer: Answer) -> None:
    last = responses[-1]
    parts = [
        part
        for response in responses
        for part in (response.candidates or [])[0].content.parts or []  # type: ignore[union-attr]
    ]
    texts = [p.text for p in answer.parts if isinstance(p, Text | Refusal)]
    assert "".join(p.text for p in parts if p.text and not p.thought) == "".join(texts)
    assert "".join(p.text for p in parts if p.text and p.thought) == "".join(
        p.text for p in answer.parts if isinstance(p, Thinking)
    )
    calls = [p.function_call for p in parts if p.function_call]
    assert [(c.id, c.name, c.args) for c in calls] == [
        (p.id, p.name, {"city": "Bern" if p.id == "call_a" else "Rom"})
        for p in answer.parts
        if isinstance(p, ToolCall)
    ]
    assert last.model_version == "shop/model"
    assert last.candidates is not None
    reason = types.FinishReason.MAX_TOKENS if answer.stop == "length" else types.FinishReason.STOP
    assert last.candidates[0].finish_reason == reason
    usage = last.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.cached_content_token_count) == (10, 3)
    assert (usage.candidates_token_count, usage.thoughts_token_count) == (13, 7)
    assert usage.total_token_count == 30


@pytest.mark.parametrize("name", ANSWERS)
async def test_whole_answers(aiohttp_server: Serve, name: str) -> None:
    answer = ANSWERS[name]
    body = GEMINI.write_answer(answer, FACTS)
    address = await answering(aiohttp_server, body, "application/json")
    async with client(address) as sdk:
        check([await sdk.models.generate_content(model="m", contents="hi")], answer)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("pieces", [1, 100])
async def test_streams(aiohttp_server: Serve, name: str, pieces: int) -> None:
    answer = ANSWERS[name]
    writer = GEMINI.stream_writer(FACTS)
    body = b"".join(writer.write([event]) for event in events_of(answer, pieces))
    address = await answering(aiohttp_server, body, "text/event-stream", piece=97)
    async with client(address) as sdk:
        stream = await sdk.models.generate_content_stream(model="m", contents="hi")
        check([response async for response in stream], answer)


class Capture:
    """A provider that keeps every request and answers with one prepared body after another."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)
        self.requests: list[bytes] = []

    async def serve(self, serve: Serve) -> str:
        async def answer(request: web.Request) -> web.Response:
            self.requests.append(await request.read())
            body = self.bodies.pop(0)
            kind = "text/event-stream" if body.startswith(b"data:") else "application/json"
            return web.Response(body=body, content_type=kind)

        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        return str((await serve(app)).make_url("/")).rstrip("/")


async def test_what_the_sdk_asks_is_read(aiohttp_server: Serve) -> None:
    capture = Capture(GEMINI.write_answer(ANSWERS["text"], FACTS))
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    config = types.GenerateContentConfig(
        system_instruction="be brief",
        temperature=0.5,
        top_k=4,
        max_output_tokens=99,
        stop_sequences=["x"],
        response_mime_type="application/json",
        response_json_schema=schema,
        thinking_config=types.ThinkingConfig(thinking_budget=512, include_thoughts=True),
        tools=[
            types.Tool(
                function_declarations=[
                    types.FunctionDeclaration(
                        name="f",
                        description="d",
                        parameters=types.Schema(
                            type=types.Type.OBJECT,
                            properties={"n": types.Schema(type=types.Type.INTEGER, nullable=True)},
                        ),
                    )
                ]
            )
        ],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode=types.FunctionCallingConfigMode.ANY
            )
        ),
    )
    contents: list[Any] = [
        "what is it?",
        types.Part.from_bytes(data=b"\xff\xfe", mime_type="image/png"),
    ]
    async with client(await capture.serve(aiohttp_server)) as sdk:
        await sdk.models.generate_content(model="m", contents=contents, config=config)
    [request] = capture.requests
    assert GEMINI.read_request(request) == Conversation(
        "",
        (
            Message("system", (Text("be brief"),)),
            Message("user", (Text("what is it?"), Media("image", "image/png", "//4="))),
        ),
        tools=(
            Tool(
                "f",
                "d",
                {"type": "object", "properties": {"n": {"type": ["integer", "null"]}}},
            ),
        ),
        tool_choice=ToolChoice("required"),
        max_tokens=99,
        temperature=0.5,
        top_k=4,
        stop=("x",),
        output_format=OutputFormat("json_schema", schema=schema),
        reasoning=Reasoning(enabled=True, budget_tokens=512, include_thoughts=True),
    )


async def test_a_chat_of_the_sdk_sends_a_streamed_turn_back_whole(aiohttp_server: Serve) -> None:
    answer = ANSWERS["thinking and parallel calls"]
    writer = GEMINI.stream_writer(FACTS)
    first = b"".join(writer.write([event]) for event in events_of(answer, 3))
    capture = Capture(first, GEMINI.write_answer(ANSWERS["text"], FACTS))
    async with client(await capture.serve(aiohttp_server)) as sdk:
        chat = sdk.chats.create(model="m")
        async for _ in await chat.send_message_stream("weather?"):
            pass
        results: list[Any] = [
            types.Part.from_function_response(name="look", response={"output": city})
            for city in ("sun", "rain")
        ]
        await chat.send_message(results)
    assert GEMINI.read_request(capture.requests[1]).messages == (
        Message("user", (Text("weather?"),)),
        Message("assistant", answer.parts),
        Message(
            "user",
            (
                ToolResult("call_a", (Text("sun"),), "look"),
                ToolResult("call_b", (Text("rain"),), "look"),
            ),
        ),
    )
