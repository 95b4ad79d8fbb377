"""Every official SDK before every hand-written provider, with the dialects alone between them."""

import dataclasses

import pytest

from tests.fakes.clients.matrix import ASKS, CLIENTS, check_seen, check_told
from tests.fakes.passage import WIRES, passage
from tests.fakes.providers.server import providers


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("provider", WIRES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_everything_is_asked_and_told(client: str, provider: str, stream: bool) -> None:
    async with providers() as upstream, passage(upstream.port) as address:
        for name, ask in ASKS.items():
            upstream.seen.clear()
            asked = dataclasses.replace(ask, stream=stream)
            told = await CLIENTS[client](address, "key", provider, asked)
            check_told(name, told)
            check_seen(name, provider, upstream.seen)
