"""What a hold reckons for pictures, documents and sound in a prompt, in each dialect."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.proxy.media.prompt_files import FileTokens, files_bound
from tests.fakes.gateway import CATALOG, running
from tests.fakes.media import wav
from tests.fakes.upstream import FakeUpstream
from tests.platform.metering.test_files import png

CREDIT_MICROUSD = 4_000
TILES = 765  # of 1,024 x 1,024 px for gpt-4o, as OpenAI's guide has it
PICTURE = base64.b64encode(png(1024, 1024)).decode()
SOUND = base64.b64encode(wav(60)).decode()
MODELS = ["gpt-4o"]
DATA = "data:image/png;base64," + PICTURE
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {"type": "image_url", "image_url": {"url": DATA, "detail": "high"}},
                ],
            }
        ]
    },
    "/v1/responses": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "hi"},
                    {"type": "input_image", "image_url": DATA, "detail": "high"},
                ],
            }
        ]
    },
    "/v1/messages": {
        "max_tokens": 4_000,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PICTURE},
                    },
                ],
            }
        ],
    },
    "gemini": {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "hi"},
                    {"inlineData": {"mimeType": "image/png", "data": PICTURE}},
                ],
            }
        ]
    },
}


@pytest.mark.parametrize("path", ASKED)
async def test_a_picture_is_in_the_hold(tmp_path: Path, path: str) -> None:
    """The provider is asked for no more output than is left beside the picture's price."""
    upstream = await FakeUpstream().start()
    catalog = CATALOG.format(port=upstream.port, disconnect="abort")
    catalog = catalog.replace('model = "up-model"', 'model = "gpt-4o"')
    body = {"model": "m", **ASKED[path]}
    if path == "gemini":
        path = "/v1beta/models/m:generateContent"
        body.pop("model")
    try:
        async with running(tmp_path / "data", catalog=catalog, credit_usd="0.004") as gateway:
            answer = await gateway.post(body, path)
            assert answer.status == 200
            [row] = await gateway.rows()
            left = CREDIT_MICROUSD - row["measured_input_tokens"] - TILES
            sent = upstream.requests[0].json
            most = {value for name, value in sent.items() if name.startswith("max_")}
            assert most == {left // 2}
            assert row["measured_input_tokens"] < 30  # a bound is held, and never counted
            await gateway.assert_nothing_leaked()
    finally:
        await upstream.stop()


def bound(*parts: dict[str, Any], models: list[str] = MODELS) -> FileTokens:
    body = {"messages": [{"role": "user", "content": list(parts)}]}
    return files_bound(json.dumps(body).encode(), models, 100_000)


def test_every_kind_of_file_is_found() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}
    assert bound(sound) == FileTokens(audio=616)
    assert bound({"inline_data": {"mime_type": "audio/wav", "data": SOUND}}).audio == 616
    far = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    assert bound(far).image == 1_445  # eight tiles, the most there may be
    low = {"type": "image_url", "image_url": {"url": DATA, "detail": "low"}}
    assert bound(low, low).image == 170
    pdf = base64.b64encode(b"%PDF-1.4 <</Type/Page>>").decode()
    file = {"type": "file", "file": {"file_data": "data:application/pdf;base64," + pdf}}
    block = {"type": "base64", "media_type": "application/pdf", "data": pdf}
    assert bound(file) == bound({"type": "document", "source": block}) == FileTokens(3_000 + 765)
    assert bound({"type": "input_file", "file_url": "https://example.org/a.pdf"}).text == 100_000
    result = {"type": "tool_result", "tool_use_id": "t", "content": [low]}
    assert bound(result).image == 85
    assert bound({"type": "text", "text": "data:image/png;base64,AAAA"}) == FileTokens()


def test_the_dearest_of_the_targets_is_held() -> None:
    part = {"type": "image_url", "image_url": {"url": DATA}}
    assert bound(part, models=["gpt-4o", "gpt-4o-mini"]).image == 2_833 + 4 * 5_667
    assert bound(*[part] * 200).image == 100_000  # more than the context holds is never sent
