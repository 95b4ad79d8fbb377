"""OpenAI's Responses. Source: OpenAI API reference, "Responses" and "Streaming events"."""

import json
from typing import Any

from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT, Plan, Seen, pieces


def understand(body: dict[str, Any]) -> Seen:
    seen = Seen(body["model"], max_tokens=body.get("max_output_tokens"))
    seen.system = body.get("instructions") or ""
    asked = body["input"]
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call_output":
            assert item["call_id"]
            output = item["output"]
            seen.results.append(output if isinstance(output, str) else output[0]["text"])
        if kind != "message":
            continue
        content = item["content"]
        parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            if part["type"] == "input_image":
                seen.images.append(part["image_url"].removeprefix("data:image/png;base64,"))
            elif item["role"] in ("system", "developer"):
                seen.system += part["text"]
            elif item["role"] == "user":
                seen.texts.append(part["text"])
    for tool in body.get("tools", ()):
        assert tool["type"] == "function"
        seen.tools.append(tool["name"])
    form = body.get("text", {}).get("format", {"type": "text"})
    if form["type"] == "json_schema":
        seen.schema = form["schema"]
    seen.thinks = (body.get("reasoning") or {}).get("effort", "none") != "none"
    return seen


def items_of(plan: Plan) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if plan.thinking:
        summary = [{"type": "summary_text", "text": plan.thinking}]
        items.append({"id": "rs_up", "type": "reasoning", "summary": summary})
    if plan.text:
        text = {"type": "output_text", "text": plan.text, "annotations": [], "logprobs": []}
        items.append(
            {
                "id": "msg_up",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [text],
            }
        )
    for id_, name, arguments in plan.calls:
        items.append(
            {
                "id": f"fc_{id_}",
                "type": "function_call",
                "status": "completed",
                "call_id": id_,
                "name": name,
                "arguments": json.dumps(arguments),
            }
        )
    return items


def response(status: str, output: list[dict[str, Any]], plan: Plan | None) -> dict[str, Any]:
    counts = None
    if plan is not None:
        counts = {
            "input_tokens": INPUT,
            "input_tokens_details": {"cached_tokens": CACHED},
            "output_tokens": OUTPUT,
            "output_tokens_details": {"reasoning_tokens": plan.reasoning},
            "total_tokens": INPUT + OUTPUT,
        }
    return {
        "id": "resp_up",
        "object": "response",
        "created_at": 1,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "up-model",
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": counts,
    }


def whole(plan: Plan) -> dict[str, Any]:
    return response("completed", items_of(plan), plan)


def item_events(index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    """One item from its beginning to its end."""
    at: dict[str, Any] = {"item_id": item["id"], "output_index": index}
    part: dict[str, Any] = {}
    if item["type"] == "function_call":
        begun = {**item, "status": "in_progress", "arguments": ""}
        middle = [
            {"type": "response.function_call_arguments.delta", **at, "delta": piece}
            for piece in pieces(item["arguments"])
        ]
        done = {"arguments": item["arguments"], "name": item["name"]}
        middle.append({"type": "response.function_call_arguments.done", **at, **done})
    else:
        reasons = item["type"] == "reasoning"
        inner = "summary" if reasons else "content"
        part = item[inner][0]
        at |= {"summary_index" if reasons else "content_index": 0}
        family = "reasoning_summary_part" if reasons else "content_part"
        text = "reasoning_summary_text" if reasons else "output_text"
        more: dict[str, Any] = {} if reasons else {"logprobs": []}
        begun = {**item, inner: []}
        if not reasons:
            begun["status"] = "in_progress"
        middle = [{"type": f"response.{family}.added", **at, "part": {**part, "text": ""}}]
        middle += [
            {"type": f"response.{text}.delta", **at, "delta": piece, **more}
            for piece in pieces(part["text"])
        ]
        middle.append({"type": f"response.{text}.done", **at, "text": part["text"], **more})
        middle.append({"type": f"response.{family}.done", **at, "part": part})
    place = {"output_index": index}
    return [
        {"type": "response.output_item.added", **place, "item": begun},
        *middle,
        {"type": "response.output_item.done", **place, "item": item},
    ]


def stream(plan: Plan) -> list[bytes]:
    opening = response("in_progress", [], None)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": opening},
        {"type": "response.in_progress", "response": opening},
    ]
    for index, item in enumerate(items_of(plan)):
        events += item_events(index, item)
    events.append({"type": "response.completed", "response": whole(plan)})
    return [
        b"event: "
        + event["type"].encode()
        + b"\ndata: "
        + json.dumps({**event, "sequence_number": number}).encode()
        + b"\n\n"
        for number, event in enumerate(events)
    ]
