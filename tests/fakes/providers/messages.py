"""A provider of Anthropic's Messages. Source: Anthropic API reference, "Streaming messages"."""

import json
from typing import Any

from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT, SIGNATURE, Plan, Seen, pieces


def understand(body: dict[str, Any]) -> Seen:
    assert body["max_tokens"] > 0
    seen = Seen(body.get("model", ""), max_tokens=body["max_tokens"])
    system = body.get("system", "")
    seen.system = system if isinstance(system, str) else "".join(part["text"] for part in system)
    for message in body["messages"]:
        assert message["role"] in ("user", "assistant")
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        assert blocks
        for block in blocks:
            match block["type"]:
                case "text" if message["role"] == "user":
                    seen.texts.append(block["text"])
                case "image":
                    seen.images.append(block["source"]["data"])
                case "tool_result":
                    inner = block["content"]
                    text = inner if isinstance(inner, str) else inner[0]["text"]
                    seen.results.append(text)
                case "thinking":
                    seen.signatures.append(block["signature"])
    for tool in body.get("tools", ()):
        assert tool["input_schema"]["type"] == "object"
        seen.tools.append(tool["name"])
    form = body.get("output_config", {}).get("format")
    if form is not None:
        assert form["type"] == "json_schema"
        seen.schema = form["schema"]
    seen.thinks = body.get("thinking", {"type": "disabled"})["type"] != "disabled"
    return seen


def usage(plan: Plan) -> dict[str, Any]:
    return {
        "input_tokens": INPUT - CACHED,
        "cache_read_input_tokens": CACHED,
        "cache_creation_input_tokens": 0,
        "output_tokens": OUTPUT,
        "output_tokens_details": {"thinking_tokens": plan.reasoning},
    }


def blocks_of(plan: Plan) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if plan.thinking:
        thought = {"type": "thinking", "thinking": plan.thinking, "signature": SIGNATURE}
        blocks.append(thought)
    if plan.text:
        blocks.append({"type": "text", "text": plan.text})
    for id_, name, arguments in plan.calls:
        blocks.append({"type": "tool_use", "id": id_, "name": name, "input": arguments})
    return blocks


def message(content: list[dict[str, Any]], reason: str | None, counts: Any) -> dict[str, Any]:
    return {
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "model": "up-model",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": counts,
    }


def whole(plan: Plan) -> dict[str, Any]:
    reason = "tool_use" if plan.calls else "end_turn"
    return message(blocks_of(plan), reason, usage(plan))


def events(plan: Plan) -> list[dict[str, Any]]:
    opening = {**usage(plan), "output_tokens": 1}
    found: list[dict[str, Any]] = [
        {"type": "message_start", "message": message([], None, opening)},
        {"type": "ping"},
    ]
    for index, block in enumerate(blocks_of(plan)):
        deltas: list[dict[str, Any]]
        empty: dict[str, Any] = dict(block)
        if block["type"] == "text":
            empty["text"] = ""
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        elif block["type"] == "thinking":
            empty |= {"thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])
            ]
            deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        else:
            empty["input"] = {}
            deltas = [
                {"type": "input_json_delta", "partial_json": piece}
                for piece in ("", *pieces(json.dumps(block["input"])))
            ]
        found.append({"type": "content_block_start", "index": index, "content_block": empty})
        found += [
            {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
        ]
        found.append({"type": "content_block_stop", "index": index})
    reason = "tool_use" if plan.calls else "end_turn"
    ended = {"stop_reason": reason, "stop_sequence": None}
    closing = {
        "output_tokens": OUTPUT,
        "output_tokens_details": usage(plan)["output_tokens_details"],
    }
    found.append({"type": "message_delta", "delta": ended, "usage": closing})
    found.append({"type": "message_stop"})
    return found


def stream(plan: Plan) -> list[bytes]:
    return [
        b"event: " + event["type"].encode() + b"\ndata: " + json.dumps(event).encode() + b"\n\n"
        for event in events(plan)
    ]
