"""Amazon Bedrock's two operations around Anthropic's Messages.

Source: Amazon Bedrock API reference, InvokeModel and InvokeModelWithResponseStream; the frames of
`application/vnd.amazon.eventstream` as the Smithy specification "Amazon event stream" draws them.
"""

import base64
import binascii
import json
import struct
from typing import Any

from tests.fakes.providers import messages
from tests.fakes.providers.plan import INPUT, OUTPUT, Plan, Seen


def understand(body: dict[str, Any]) -> Seen:
    assert body["anthropic_version"] == "bedrock-2023-05-31"
    assert "model" not in body
    assert "stream" not in body
    return messages.understand(body)


def whole(plan: Plan) -> dict[str, Any]:
    return messages.whole(plan)


def header(name: str, value: str) -> bytes:
    """A string header: type 7 and a length of two bytes."""
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", 7, len(text)) + text


def frame(payload: bytes, event: str = "chunk") -> bytes:
    headers = (
        header(":event-type", event)
        + header(":content-type", "application/json")
        + header(":message-type", "event")
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    head = prelude + struct.pack("!I", binascii.crc32(prelude))
    rest = head + headers + payload
    return rest + struct.pack("!I", binascii.crc32(rest))


def stream(plan: Plan) -> list[bytes]:
    frames = []
    for event in messages.events(plan):
        if event["type"] == "ping":
            continue
        if event["type"] == "message_stop":
            counts = {"inputTokenCount": INPUT, "outputTokenCount": OUTPUT}
            event = {**event, "amazon-bedrock-invocationMetrics": counts}
        inner = base64.b64encode(json.dumps(event).encode()).decode()
        frames.append(frame(json.dumps({"bytes": inner, "p": "abcdefgh"}).encode()))
    return frames
