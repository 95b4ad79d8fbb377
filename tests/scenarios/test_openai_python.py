"""The official `openai` Python SDK against a running gateway and its sandbox models."""

import json
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from tests.fakes.process import Process, serving

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
HELLO = [{"role": "user", "content": "Say hello to the whole wide world, please."}]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder: Path = tmp_path_factory.mktemp("sdk") / "data"
    with serving(folder) as one:
        yield one


@pytest.fixture
def client(process: Process) -> Iterator[OpenAI]:
    with OpenAI(base_url=process.url + "/v1", api_key=process.key, max_retries=0) as one:
        yield one


def test_a_whole_answer(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="sandbox/echo", messages=HELLO)
    assert answer.choices[0].message.content == HELLO[0]["content"]
    assert answer.usage is not None and answer.usage.completion_tokens > 5
    assert answer._request_id is not None and answer._request_id.startswith("req_")


def test_a_stream_and_its_usage(client: OpenAI, process: Process) -> None:
    stream = client.chat.completions.create(
        model="sandbox/lorem:tokens=40",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 40 and len(text) > 40
    [row] = process.run("requests", "list", "--limit", "1")
    assert row["output_tokens"] == row["measured_output_tokens"] == 40
    assert row["input_tokens"] == row["measured_input_tokens"]


def test_a_stream_without_usage_has_none(client: OpenAI) -> None:
    stream = client.chat.completions.create(model="sandbox/lorem", messages=HELLO, stream=True)
    chunks = list(stream)
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_tools(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="sandbox/lorem:tool=1", messages=HELLO, tools=[TOOL]
    )
    [call] = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    with client.chat.completions.stream(
        model="sandbox/lorem:tool=1", messages=HELLO, tools=[TOOL]
    ) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    [streamed] = final.choices[0].message.tool_calls or []
    assert json.loads(streamed.function.arguments) == json.loads(call.function.arguments)


def test_structured_output(client: OpenAI) -> None:
    schema = TOOL["function"]["parameters"]
    answer = client.chat.completions.create(
        model="sandbox/lorem",
        messages=HELLO,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "weather", "schema": schema, "strict": True},
        },
    )
    assert isinstance(json.loads(answer.choices[0].message.content or "")["city"], str)


def test_several_choices_and_a_length(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="sandbox/lorem", messages=HELLO, n=3, max_tokens=5
    )
    assert [choice.finish_reason for choice in answer.choices] == ["length"] * 3
    assert answer.usage is not None and answer.usage.completion_tokens == 15


def test_embeddings(client: OpenAI) -> None:
    answer = client.embeddings.create(model="sandbox/echo", input=["a", "b"], dimensions=8)
    assert [len(item.embedding) for item in answer.data] == [8, 8]
    assert answer.usage.prompt_tokens > 0


def test_completions_and_responses(client: OpenAI) -> None:
    old = client.completions.create(model="sandbox/lorem", prompt="hello", max_tokens=5)
    assert old.choices[0].text
    new = client.responses.create(model="sandbox/lorem", input="hello")
    assert new.output_text and new.usage is not None and new.usage.output_tokens > 0
    events = list(client.responses.create(model="sandbox/lorem", input="hello", stream=True))
    assert events[-1].type == "response.completed"


def test_models(client: OpenAI) -> None:
    assert {"sandbox/echo", "sandbox/lorem"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("sandbox/lorem").id == "sandbox/lorem"


def test_errors_arrive_as_the_sdks_own_types(client: OpenAI, process: Process) -> None:
    cases: list[tuple[str, type[openai.APIStatusError]]] = [
        ("sandbox/lorem:error=400", openai.BadRequestError),
        ("sandbox/lorem:error=429", openai.RateLimitError),
        ("sandbox/lorem:error=500", openai.InternalServerError),
        ("nothing", openai.NotFoundError),
    ]
    for model, kind in cases:
        with pytest.raises(kind) as caught:
            client.chat.completions.create(model=model, messages=HELLO)
        assert caught.value.code and caught.value.request_id
    with (
        OpenAI(base_url=process.url + "/v1", api_key="sk-tg-no", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_an_error_inside_a_stream_raises(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="sandbox/lorem:fault=reset,at=5", messages=HELLO, stream=True
    )
    with pytest.raises(openai.APIError):
        list(stream)


def test_retries_follow_the_gateways_advice(process: Process) -> None:
    """429 is retried (three requests), 402 is not."""
    with (
        OpenAI(base_url=process.url + "/v1", api_key=process.key, max_retries=2) as client,
        pytest.raises(openai.RateLimitError),
    ):
        client.chat.completions.create(
            model="sandbox/lorem:error=429,retry_after=0", messages=HELLO
        )
    rows = process.run("requests", "list", "--limit", "3")
    assert [row["error_code"] for row in rows] == ["upstream_rate_limited"] * 3
    poor = process.fund("0.000001", "poor@example.com")
    with (
        OpenAI(base_url=process.url + "/v1", api_key=poor, max_retries=2) as client,
        pytest.raises(openai.APIStatusError) as caught,
    ):
        client.chat.completions.create(model="sandbox/lorem", messages=HELLO)
    assert caught.value.status_code == 402 and caught.value.code == "insufficient_credit"
