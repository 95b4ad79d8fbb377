"""What is written, held against the types that the official SDKs declare.

The SDKs themselves take what comes without looking; their declarations are the nearest to a schema
that the providers publish.
"""

import functools
import json
from typing import Any

import msgspec
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from google.genai.types import GenerateContentResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import TypeAdapter

from gateway.base.errors import GatewayError
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.responses import RESPONSES
from tests.proxy.dialects import test_gemini_requests, test_messages_requests
from tests.proxy.dialects.neutral_values import answers, events_of, usages
from tests.proxy.dialects.turns import FACTS

ANSWERS: list[tuple[n.Dialect, Any, Any]] = [
    (CHAT, ChatCompletion, ChatCompletionChunk),
    (RESPONSES, Response, ResponseStreamEvent),
    (MESSAGES, Message, RawMessageStreamEvent),
    (GEMINI, GenerateContentResponse, GenerateContentResponse),
]
REQUESTS: list[tuple[n.Dialect, str, Any, Any]] = [
    (CHAT, "gpt-5.1", CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming),
    (RESPONSES, "gpt-5.1", ResponseCreateParamsNonStreaming, ResponseCreateParamsStreaming),
    (
        MESSAGES,
        "claude-haiku-4-5",
        MessageCreateParamsNonStreaming,
        MessageCreateParamsStreaming,
    ),
    (MESSAGES, "claude-opus-5-5", MessageCreateParamsNonStreaming, MessageCreateParamsStreaming),
]
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)


@functools.cache
def adapter(declared: Any) -> Any:
    """Made once: some take a second."""
    return TypeAdapter(declared)


def sound(answer: n.Answer) -> n.Answer:
    """With signatures of Gemini's that are base64, as its own are."""
    parts = [
        msgspec.structs.replace(part, signature="c2ln")
        if isinstance(part, n.Thinking) and part.family == "gemini"
        else part
        for part in answer.parts
    ]
    return msgspec.structs.replace(answer, parts=tuple(parts))


@pytest.mark.parametrize(
    ("dialect", "whole", "event"), ANSWERS, ids=lambda one: getattr(one, "name", "")
)
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(
    answers("openai", refusals=True, usage=usages()).map(sound),
    st.integers(1, 9),
)
def test_answers_are_of_the_declared_types(
    dialect: n.Dialect, whole: Any, event: Any, answer: n.Answer, pieces: int
) -> None:
    adapter(whole).validate_python(json.loads(dialect.write_answer(answer, FACTS)))
    told = dialect.stream_writer(FACTS).write(events_of(answer, pieces))
    for one in told.split(b"\n\n"):
        data = one.rpartition(b"data: ")[2]
        if data and data != b"[DONE]":
            adapter(event).validate_python(json.loads(data))


CONVERSATIONS = st.one_of(
    test_messages_requests.conversations(), test_gemini_requests.CONVERSATIONS
)


@pytest.mark.parametrize(("dialect", "model", "whole", "streamed"), REQUESTS)
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(CONVERSATIONS)
def test_requests_are_of_the_declared_types(
    dialect: n.Dialect, model: str, whole: Any, streamed: Any, conversation: n.Conversation
) -> None:
    named = msgspec.structs.replace(conversation, model=model)
    try:
        body = json.loads(dialect.write_request(named))
    except GatewayError:
        return
    for item in body.get("input", ()):  # of Responses
        _complete(item)
    adapter(streamed if named.stream else whole).validate_python(body)


def _complete(item: dict[str, Any]) -> None:
    """What the SDK declares as required and the API does not ask for."""
    if item["type"] == "reasoning":
        item["id"] = "rs"
    content = item.get("content", item.get("output"))
    for part in content if isinstance(content, list) else ():
        if part["type"] == "input_image":
            part.setdefault("detail", "auto")
        if part["type"] == "output_text":
            part["annotations"] = []
    if item["type"] == "message" and item["role"] == "assistant":
        item |= {"id": "msg", "status": "completed"}
