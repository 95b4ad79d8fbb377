"""A running request's page: what has been counted so far, and what it is at most."""

import asyncio
import re
from pathlib import Path

from tests.fakes.gateway import RunningGateway, chat, running
from tests.fakes.upstream import DONE, SSE_HEAD, FakeUpstream, Received, chunk, framed, usage_event
from tests.web.browser.sessions import sign_in

STEP = 30


async def page(gateway: RunningGateway, token: str, id: str) -> str:
    async with gateway.session.get(
        f"{gateway.url}/console/logs/{id}", cookies={"token": token}
    ) as response:
        assert response.status == 200
        return await response.text()


def so_far(text: str) -> tuple[int, int]:
    """Tokens and micro-dollars that a running request's page shows."""
    tokens = re.search(r"Output tokens so far</dt><dd>(\d+)<", text)
    cost = re.search(r'Cost so far, at most</dt><dd><data value="([\d.]+)"', text)
    assert tokens is not None and cost is not None, text
    return int(tokens[1]), round(float(cost[1]) * 1_000_000)


async def test_a_running_stream_tells_tokens_and_cost_so_far(tmp_path: Path) -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def slowly(_: Received, writer: asyncio.StreamWriter) -> None:
        await gates[0].wait()
        writer.write(SSE_HEAD)
        for gate in gates[1:]:
            for _n in range(STEP):
                writer.write(framed(chunk(" word")))
                await writer.drain()
                await asyncio.sleep(0.002)
            await gate.wait()
        writer.write(framed(usage_event(7, 2 * STEP)) + framed(DONE) + b"0\r\n\r\n")

    async with (
        FakeUpstream(handler=slowly) as upstream,
        running(tmp_path / "data", upstream) as gateway,
    ):
        token = await sign_in(gateway)
        asked = asyncio.create_task(gateway.post(chat(stream=True)))
        async with asyncio.timeout(20):
            while not gateway.plane.active:
                await asyncio.sleep(0.01)
            [x] = gateway.plane.active
            early = await page(gateway, token, x.id)
            assert "running for" in early and "so far" not in early
            seen = [(0, 0)]
            for wanted, gate in zip((STEP, 2 * STEP), gates, strict=False):
                gate.set()
                # The last piece of a text is counted when it is known to be complete.
                while seen[-1][0] < wanted - 1:
                    await asyncio.sleep(0.05)
                    text = await page(gateway, token, x.id)
                    if "so far" in text:
                        seen.append(so_far(text))
            for tokens, cost_microusd in seen[1:]:
                prompt_microusd = cost_microusd - 2 * tokens
                assert 0 < prompt_microusd < 50
            assert seen == sorted(seen)
            gates[2].set()
            assert (await asked).status == 200
        await gateway.settled()
        await gateway.rows()
        ended = await page(gateway, token, x.id)
        assert "so far" not in ended and "What it cost" in ended
        await gateway.assert_nothing_leaked()
