"""What a hold reckons with while nobody knows how the tokens will turn out."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import CATALOG, chat, running
from tests.fakes.upstream import FakeUpstream

CACHED = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
CREDIT_MICROUSD = 1000


@pytest.mark.parametrize(
    ("price", "more", "input_usd", "output_usd"),
    [
        ("", {}, 1, 2),
        ('cache_write = "20"', {}, 20, 2),
        ('cache_write_1h = "30"', {}, 1, 2),
        ('cache_write = "20"\ncache_write_1h = "30"', {"content": CACHED}, 30, 2),
        ('audio_output = "50"', {}, 1, 2),
        ('audio_output = "50"', {"modalities": ["text", "audio"]}, 1, 50),
        ('image_output = "40"', {}, 1, 40),
    ],
)
async def test_the_dearest_is_held(
    tmp_path: Path, price: str, more: dict[str, Any], input_usd: int, output_usd: int
) -> None:
    upstream = await FakeUpstream().start()
    catalog = CATALOG.format(port=upstream.port, disconnect="abort") + price
    try:
        async with running(tmp_path / "data", catalog=catalog, credit_usd="0.001") as gateway:
            answer = await gateway.post(chat(**{"content": "hi", **more}))
            assert answer.status == 200
            [row] = await gateway.rows()
            left = CREDIT_MICROUSD - input_usd * row["measured_input_tokens"]
            assert upstream.requests[0].json["max_tokens"] == left // output_usd
            await gateway.assert_nothing_leaked()
    finally:
        await upstream.stop()
