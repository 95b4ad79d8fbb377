"""The official openai and anthropic SDKs read our answers and accumulate our streams."""

import json
from typing import Any

import anthropic
import openai
import pydantic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.neutral import (
    Answer,
    Refusal,
    Text,
    Thinking,
    Tokens,
    ToolCall,
)
from tests.proxy.dialects.loopback import Serve, answering
from tests.proxy.dialects.neutral_values import events_of
from tests.proxy.dialects.turns import FACTS

USAGE = Tokens(5, 3, 2, 20, 7)
ANSWERS: dict[str, Answer] = {
    "text": Answer((Text('hello \u2028 "wörld" 😀\n'),), "stop", USAGE),
    "thinking and parallel calls": Answer(
        (
            Thinking("let me see", "c2ln", "anthropic"),
            Thinking("", "aGlkZGVu", "anthropic", redacted=True),
            Text("I look."),
            ToolCall("call_a", "look", '{"city":"Bern"}'),
            ToolCall("call_b", "look", '{"city":"Rom"}', "Z3M=", "gemini"),
        ),
        "tool_calls",
        USAGE,
    ),
    "unsigned thinking": Answer((Thinking("hm"), Text("so")), "stop", USAGE),
    "a call without arguments": Answer((ToolCall("call_a", "now", "{}"),), "tool_calls", USAGE),
    "a refusal": Answer((Refusal("I will not."),), "refusal", USAGE),
    "cut short": Answer((Text("hel"),), "length", USAGE),
    "nothing": Answer((), "stop", USAGE),
}
PIECES = (0, 1, 7)
cases = pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)


def texts(answer: Answer, *kinds: type) -> str:
    return "".join(part.text for part in answer.parts if isinstance(part, kinds))  # type: ignore[union-attr]


def calls(answer: Answer) -> list[tuple[str, str, str]]:
    return [(p.id, p.name, p.arguments) for p in answer.parts if isinstance(p, ToolCall)]


# --- Messages -------------------------------------------------------------------------------------


def check_message(message: Message, answer: Answer) -> None:
    pydantic.TypeAdapter(Message).validate_python(message.model_dump())  # all fields are there
    assert message.model == FACTS.model
    said = [block.text for block in message.content if block.type == "text"]
    assert "".join(said) == texts(answer, Text, Refusal)
    used = [block for block in message.content if block.type == "tool_use"]
    assert [(block.id, block.name, block.input) for block in used] == [
        (id_, name, json.loads(arguments)) for id_, name, arguments in calls(answer)
    ]
    thoughts = [block for block in message.content if block.type == "thinking"]
    assert "".join(block.thinking for block in thoughts) == texts(answer, Thinking)
    hidden = [block.data for block in message.content if block.type == "redacted_thinking"]
    marks = {"aGlkZGVu", "tallygate:gemini:Z3M="} if len(answer.parts) == 5 else set()
    assert set(hidden) == marks
    reasons = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
    assert message.stop_reason == reasons.get(answer.stop or "", "refusal")
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (5, 20)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (3, 2)
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 7


def anthropic_client(address: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=address, api_key="k", max_retries=0)


ASKED: dict[str, Any] = {
    "model": "house/model",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
}


@cases
async def test_anthropic_reads_an_answer(aiohttp_server: Serve, answer: Answer) -> None:
    body = MESSAGES.write_answer(answer, FACTS)
    address = await answering(aiohttp_server, body, "application/json")
    async with anthropic_client(address) as client:
        check_message(await client.messages.create(**ASKED), answer)


@cases
@pytest.mark.parametrize("piece", PIECES)
async def test_anthropic_accumulates_a_stream(
    aiohttp_server: Serve, answer: Answer, piece: int
) -> None:
    body = MESSAGES.stream_writer(FACTS).write(events_of(answer, 4))
    address = await answering(aiohttp_server, body, "text/event-stream", piece=piece)
    event_type: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(RawMessageStreamEvent)
    async with anthropic_client(address) as client:
        raw = await client.messages.create(**ASKED, stream=True)
        async for event in raw:
            event_type.validate_python(event.model_dump())
        async with client.messages.stream(**ASKED) as stream:
            check_message(await stream.get_final_message(), answer)


# --- Chat -----------------------------------------------------------------------------------------


def check_completion(completion: ChatCompletion, answer: Answer) -> None:
    message = completion.choices[0].message
    assert completion.model == FACTS.model
    assert (message.content or "") == texts(answer, Text)
    assert (message.refusal or "") == texts(answer, Refusal)
    made = message.tool_calls or []
    assert [
        (call.id, call.function.name, call.function.arguments)
        for call in made
        if call.type == "function"
    ] == calls(answer)
    extra = message.model_extra or {}
    assert (extra.get("reasoning_content") or "") == texts(answer, Thinking)
    if answer.stop != "length":
        # What a client sends back is read into what the provider said.
        echo = {"messages": [message.model_dump(exclude_none=True, exclude={"parsed"})]}
        for call in echo["messages"][0].get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
        parts = CHAT.read_request(json.dumps(echo).encode()).messages[0].parts if made else ()
        assert not made or parts == answer.parts
    reasons = {"length": "length", "tool_calls": "tool_calls"}
    assert completion.choices[0].finish_reason == reasons.get(answer.stop or "", "stop")
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 10
    assert completion.usage.completion_tokens == 20
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 3
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 7


def openai_client(address: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=address + "/v1", api_key="k", max_retries=0)


CHAT_ASKED: dict[str, Any] = {"model": "house/model", "messages": ASKED["messages"]}


@cases
async def test_openai_reads_an_answer(aiohttp_server: Serve, answer: Answer) -> None:
    body = CHAT.write_answer(answer, FACTS)
    address = await answering(aiohttp_server, body, "application/json")
    async with openai_client(address) as client:
        completion = await client.chat.completions.create(**CHAT_ASKED)
    pydantic.TypeAdapter(ChatCompletion).validate_python(completion.model_dump())
    check_completion(completion, answer)


@cases
@pytest.mark.parametrize("piece", PIECES)
async def test_openai_accumulates_a_stream(
    aiohttp_server: Serve, answer: Answer, piece: int
) -> None:
    body = CHAT.stream_writer(FACTS).write(events_of(answer, 4))
    address = await answering(aiohttp_server, body, "text/event-stream", piece=piece)
    chunk_type: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(ChatCompletionChunk)
    async with openai_client(address) as client:
        raw = await client.chat.completions.create(**CHAT_ASKED, stream=True)
        async for chunk in raw:
            chunk_type.validate_python(chunk.model_dump())
        if answer.stop == "length":
            return  # the SDK's own accumulation raises for a cut answer
        async with client.chat.completions.stream(**CHAT_ASKED) as stream:
            check_completion(await stream.get_final_completion(), answer)
