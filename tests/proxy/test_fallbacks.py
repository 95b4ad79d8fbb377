"""Fallback models and targets with prices of their own: who serves, and what it costs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import routes
from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import (
    DONE,
    FakeUpstream,
    Received,
    answering,
    chunk,
    completion,
    streaming,
)

BROKEN = answering({}, 500)
DEAR = '[models.targets.price]\ninput = "10"\noutput = "20"\n'


@pytest.fixture
async def three() -> AsyncIterator[list[FakeUpstream]]:
    async with routes.fakes(3) as started:
        for fake in started:
            fake.handler = answering(completion())
        yield started


@pytest.fixture
async def gateway(tmp_path: Path, three: list[FakeUpstream]) -> AsyncIterator[RunningGateway]:
    catalog = (
        routes.providers(three)
        + routes.model([0], lines='aliases = ["m-latest"]\nfallbacks = ["own"]')
        + routes.model([1], name="other", targets=[DEAR]).replace("o200k_base", "cl100k_base")
        + routes.model([2], name="own", targets=['[models.targets.price]\ninput="3"\noutput="4"\n'])
    )
    async with running(tmp_path / "data", catalog=catalog) as one:
        yield one


async def test_a_clients_fallbacks_come_before_the_models_own(
    gateway: RunningGateway, three: list[FakeUpstream]
) -> None:
    three[0].handler = BROKEN
    answer = await gateway.post(chat(models=["other", "m"]))
    assert answer.status == 200
    sent = three[1].requests[0].json
    assert sent["model"] == "other-up1" and "models" not in sent
    three[1].handler = BROKEN
    answer = await gateway.post(chat(), **{"x-tallygate-fallbacks": "other"})
    assert answer.status == 200 and three[2].requests[0].json["model"] == "own-up2"
    head = three[2].requests[0].head.lower()
    assert b"fallback" not in head
    rows = await gateway.rows()
    assert [(row["model"], row["cost_microusd"]) for row in rows] == [
        ("own", 3 * 7 + 4 * 3),
        ("other", 10 * 7 + 20 * 3),
    ]
    await gateway.assert_nothing_leaked()


async def test_a_stream_of_a_fallback_is_measured_with_its_own_counter(
    gateway: RunningGateway, three: list[FakeUpstream]
) -> None:
    three[0].handler = BROKEN
    three[1].handler = streaming(chunk("one two three", finish="stop"), DONE)
    body = {"models": ["m", "other"], "messages": chat()["messages"], "stream": True}
    answer = await gateway.post(body)
    assert answer.status == 200 and answer.body.endswith(DONE)
    [row] = await gateway.rows()
    assert (row["model"], row["basis"]) == ("other", "measured")
    tokens = row["measured_input_tokens"], row["measured_output_tokens"]
    assert row["cost_microusd"] == 10 * tokens[0] + 20 * tokens[1]
    await gateway.assert_nothing_leaked()


async def test_the_hold_covers_the_dearest_that_may_serve(
    tmp_path: Path, three: list[FakeUpstream]
) -> None:
    catalog = routes.providers(three) + routes.model([0, 1], targets=["", DEAR])
    async with running(tmp_path / "data", catalog=catalog, credit_usd="0.001") as gateway:
        answer = await gateway.post(chat(max_tokens=5000))
        assert answer.status == 200
        assert three[0].requests[0].json["max_tokens"] < 50  # of 20 microusd each
        three[0].handler = BROKEN

        async def longest(request: Received, writer: asyncio.StreamWriter) -> None:
            await answering(completion("x", 7, request.json["max_tokens"]))(request, writer)

        three[1].handler = longest
        assert (await gateway.post(chat(max_tokens=5000))).status == 200
        row = (await gateway.rows())[0]
        assert row["cost_microusd"] == 10 * 7 + 20 * row["output_tokens"] > 800
        assert row["overrun_microusd"] == 0 and await gateway.balance_microusd() >= 0
        await gateway.assert_nothing_leaked()


async def test_an_alias_is_the_model(gateway: RunningGateway, three: list[FakeUpstream]) -> None:
    answer = await gateway.post({**chat(), "model": "m-latest"})
    assert answer.status == 200
    assert three[0].requests[0].json["model"] == "m-up0"
    [row] = await gateway.rows()
    assert row["model"] == "m"


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"models": ["nowhere"]}, 404, "model_not_found"),
        ({"models": "other"}, 400, "invalid_request"),
        ({"models": [1]}, 400, "invalid_request"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(
    gateway: RunningGateway, more: dict[str, object], status: int, code: str
) -> None:
    answer = await gateway.post(chat(**more))
    assert (answer.status, answer.code) == (status, code)
    await gateway.assert_nothing_leaked()


async def test_the_sandbox_can_play_a_fallback(gateway: RunningGateway) -> None:
    body = {"models": ["sandbox/echo:error=503", "sandbox/lorem"], **chat()}
    del body["model"]
    answer = await gateway.post(body)
    assert answer.status == 200 and answer.json["choices"][0]["message"]["content"]
    [row] = await gateway.rows()
    assert row["model"] == "sandbox/lorem"
