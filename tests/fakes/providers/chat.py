"""A provider of OpenAI's chat completions that reasons like DeepSeek. Source: their references."""

import json
from typing import Any

from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT, Plan, Seen, pieces

BASE = {"id": "chatcmpl-up", "created": 1, "model": "up-model", "system_fingerprint": "fp_secret"}


def understand(body: dict[str, Any]) -> Seen:
    seen = Seen(body["model"], max_tokens=body.get("max_completion_tokens"))
    for message in body["messages"]:
        content = message.get("content") or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            if part["type"] == "image_url":
                seen.images.append(part["image_url"]["url"].removeprefix("data:image/png;base64,"))
            elif message["role"] in ("system", "developer"):
                seen.system += part["text"]
            elif message["role"] == "tool":
                assert message["tool_call_id"]
                seen.results.append(part["text"])
            elif message["role"] == "user":
                seen.texts.append(part["text"])
    seen.tools = [tool["function"]["name"] for tool in body.get("tools", ())]
    form = body.get("response_format")
    if form is not None:
        assert form["type"] == "json_schema"
        seen.schema = form["json_schema"]["schema"]
    seen.thinks = body.get("reasoning_effort", "none") != "none"
    return seen


def usage(plan: Plan) -> dict[str, Any]:
    return {
        "prompt_tokens": INPUT,
        "completion_tokens": OUTPUT,
        "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED},
        "completion_tokens_details": {"reasoning_tokens": plan.reasoning},
    }


def call(index: int, made: tuple[str, str, dict[str, Any]], arguments: str) -> dict[str, Any]:
    function = {"name": made[1], "arguments": arguments}
    return {"index": index, "id": made[0], "type": "function", "function": function}


def whole(plan: Plan) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": plan.text or None}
    if plan.thinking:
        message["reasoning_content"] = plan.thinking
    if plan.calls:
        message["tool_calls"] = [
            call(index, made, json.dumps(made[2])) for index, made in enumerate(plan.calls)
        ]
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "tool_calls" if plan.calls else "stop",
    }
    return {**BASE, "object": "chat.completion", "choices": [choice], "usage": usage(plan)}


def stream(plan: Plan) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in pieces(plan.thinking)]
    deltas += [{"content": piece} for piece in pieces(plan.text)]
    for index, made in enumerate(plan.calls):
        deltas.append({"tool_calls": [call(index, made, "")]})
        for piece in pieces(json.dumps(made[2])):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    choices: list[list[dict[str, Any]]] = [
        [{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas
    ]
    reason = "tool_calls" if plan.calls else "stop"
    choices.append([{"index": 0, "delta": {}, "finish_reason": reason}])
    chunks = [{**BASE, "object": "chat.completion.chunk", "choices": some} for some in choices]
    chunks.append({**BASE, "object": "chat.completion.chunk", "choices": [], "usage": usage(plan)})
    events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    return [*events, b"data: [DONE]\n\n"]
