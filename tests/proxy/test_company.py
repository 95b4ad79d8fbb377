"""Ends of streams wait for each other to share a commit, in company alone and never for long."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.proxy.record import COMPANY
from tests.fakes.gateway import RunningGateway, chat, running


class Noting:
    """A gateway's settlements that keep how long each end was let wait, in seconds."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.waits: list[float] = []
        self._real = gateway.plane.settlements
        gateway.plane.settlements = self

    def submit(self, charge: Any, row: Any, on_durable: Any, patience_s: float = 0.0) -> None:
        self.waits.append(patience_s)
        self._real.submit(charge, row, on_durable, patience_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


async def ask(gateway: RunningGateway, tokens: int, stream: bool) -> None:
    body = chat("Hello", stream=stream) | {"model": f"sandbox/lorem:tokens={tokens},tps=20"}
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.session.post(
        f"{gateway.url}/v1/chat/completions", json=body, headers=headers
    ) as response:
        assert response.status == 200
        text = await response.text()
    assert not stream or text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("limit_us", [100_000, 1_000, 0])
async def test_an_end_waits_a_part_of_its_time_and_only_while_others_run(
    tmp_path: Path, limit_us: int
) -> None:
    async with running(tmp_path / "data", ledger_stream_commit_delay_us=limit_us) as gateway:
        noting = Noting(gateway)
        await ask(gateway, 4, stream=True)
        await asyncio.gather(*(ask(gateway, 4, stream=False) for _ in range(COMPANY + 3)))
        assert not any(noting.waits)
        begun_s = time.monotonic()
        await asyncio.gather(*(ask(gateway, 4 + n, stream=True) for n in range(COMPANY + 3)))
        longest_s = min((time.monotonic() - begun_s) / 50, limit_us / 1e6)
        kept = [wait for wait in noting.waits if wait]
        assert len(kept) == (2 if limit_us else 0)  # COMPANY + 2, then COMPANY + 1 others ran
        assert all(0 < wait <= longest_s for wait in kept)
        await gateway.settled()
        assert len(await gateway.rows()) == 1 + 2 * (COMPANY + 3)
