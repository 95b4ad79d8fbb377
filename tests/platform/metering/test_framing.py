"""OpenAI's own worked examples, and the short way beside the long one."""

import json
from typing import Any

import pytest

from gateway._native.jsonscan import scan_request
from gateway._native.tokens import Counter
from gateway.platform.metering.count import encoding_for_model
from gateway.platform.metering.framing import (
    count_prompt,
    framed_prompt_tokens,
    image_tokens,
    tool_tokens,
)

# The two examples of the cookbook article "How to count tokens with tiktoken", with the counts it
# shows for them from the API's own usage.
JARGON = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate "
        "jargon into plain English.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "New synergies will help drive top-line growth.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Things working well together will increase revenue.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities "
        "for increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client "
        "deliverable.",
    },
]
WEATHER = [
    {
        "role": "system",
        "content": "You are a helpful assistant that can answer to questions about the weather.",
    },
    {"role": "user", "content": "What's the weather like in San Francisco?"},
]
WEATHER_TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_current_weather",
            "description": "Get the current weather in a given location",
            "parameters": {
                "type": "object",
                "properties": {
                    "location": {
                        "type": "string",
                        "description": "The city and state, e.g. San Francisco, CA",
                    },
                    "unit": {
                        "type": "string",
                        "description": "The unit of temperature to return",
                        "enum": ["celsius", "fahrenheit"],
                    },
                },
                "required": ["location"],
            },
        },
    }
]


@pytest.mark.parametrize(
    ("model", "plain", "tools"),
    [("gpt-4o", 124, 101), ("gpt-4o-mini", 124, 101), ("gpt-4", 129, 105)],
)
def test_cookbook_examples_come_out(model: str, plain: int, tools: int) -> None:
    encoding = encoding_for_model(model)
    assert count_prompt(JARGON, model=model, encoding=encoding) == plain
    assert count_prompt(WEATHER, WEATHER_TOOLS, model=model, encoding=encoding) == tools


@pytest.mark.parametrize(
    ("messages", "tools"),
    [(JARGON, []), (WEATHER, []), (WEATHER, WEATHER_TOOLS), (JARGON, WEATHER_TOOLS * 3)],
)
def test_the_short_way_is_close(messages: list[Any], tools: list[Any]) -> None:
    body = {"model": "gpt-4o", "messages": messages}
    if tools:
        body["tools"] = tools
    counter = Counter("o200k_base")
    scan = scan_request(json.dumps(body).encode(), counter)
    short = framed_prompt_tokens("chat", counter.finish(), scan.message_count, scan.tool_count)
    long = count_prompt(messages, tools, model="gpt-4o", encoding="o200k_base")
    assert abs(short - long) <= 0.04 * long + 15 * len(tools)


def test_only_endpoints_with_messages_are_framed() -> None:
    assert framed_prompt_tokens("embeddings", 17, 4, 0) == 17
    assert framed_prompt_tokens("completions", 17, 0, 0) == 17
    assert framed_prompt_tokens("responses", 17, 0, 0) > 17


@pytest.mark.parametrize(
    ("model", "size", "detail", "expected"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),  # the guide's own examples
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("openai/gpt-4o", (512, 512), "auto", 255),
        ("gpt-4o-mini", (512, 512), "auto", 8500),
        ("o1", (512, 512), "high", 225),
        ("gpt-4.1-mini", (1024, 1024), "high", 1659),
        ("gpt-5", (10, 10), "high", 210),
    ],
)
def test_images_follow_the_guide(
    model: str, size: tuple[int, int], detail: str, expected: int
) -> None:
    assert image_tokens(model, *size, detail=detail) == expected


def test_parts_images_and_odd_shapes_are_counted() -> None:
    text = {"role": "user", "content": "What is in this image?"}
    parts = {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is in this image?"},
            {"type": "image_url", "image_url": {"url": "https://x.test/y.png", "detail": "low"}},
        ],
    }
    plain = count_prompt([text], model="gpt-4o", encoding="o200k_base")
    assert count_prompt([parts], model="gpt-4o", encoding="o200k_base") == plain + 85
    assert count_prompt([{"role": None, "content": None}], model="x", encoding="o200k_base") == 6
    nested = {"name": "f", "parameters": {"properties": {"a": {"properties": {"b": {}}}}}}
    flat = {"name": "f", "parameters": {"properties": {"a": {}}}}
    assert tool_tokens([nested], "o200k_base") > tool_tokens([flat], "o200k_base")
    assert tool_tokens([], "o200k_base") == 0
