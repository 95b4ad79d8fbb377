"""Google's generateContent. Source: Gemini API reference, "Generating content" and "Thinking"."""

import json
import re
from typing import Any

from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT, SIGNATURE, Plan, Seen, pieces


def camel(value: Any) -> Any:
    """Google takes names in snake_case too, and its own SDK sends a few of them so."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    names = {name: re.sub("_([a-z])", lambda m: m[1].upper(), name) for name in value}
    return {names[name]: camel(item) for name, item in value.items()}


def understand(body: dict[str, Any]) -> Seen:
    body = camel(body)
    assert "model" not in body
    config = body.get("generationConfig", {})
    seen = Seen(max_tokens=config.get("maxOutputTokens"))
    for part in body.get("systemInstruction", {}).get("parts", ()):
        seen.system += part["text"]
    for content in body["contents"]:
        assert content["role"] in ("user", "model")
        for part in content["parts"]:
            if "thoughtSignature" in part:
                seen.signatures.append(part["thoughtSignature"])
            if "inlineData" in part:
                assert part["inlineData"]["mimeType"] == "image/png"
                seen.images.append(part["inlineData"]["data"])
            elif "functionResponse" in part:
                assert part["functionResponse"]["name"]
                values = part["functionResponse"]["response"].values()
                seen.results.append(str(next(iter(values))))
            elif "text" in part and content["role"] == "user":
                seen.texts.append(part["text"])
    for tool in body.get("tools", ()):
        seen.tools += [declared["name"] for declared in tool["functionDeclarations"]]
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if schema is not None:
        assert config["responseMimeType"] == "application/json"
        seen.schema = schema
    thinking = config.get("thinkingConfig", {})
    seen.thinks = bool(thinking) and thinking.get("thinkingBudget") != 0
    return seen


def usage(plan: Plan) -> dict[str, Any]:
    found = {
        "promptTokenCount": INPUT,
        "cachedContentTokenCount": CACHED,
        "candidatesTokenCount": OUTPUT - plan.reasoning,
        "totalTokenCount": INPUT + OUTPUT,
    }
    return found | ({"thoughtsTokenCount": plan.reasoning} if plan.reasoning else {})


def answer(parts: list[dict[str, Any]], finish: str | None, plan: Plan) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": usage(plan),
        "modelVersion": "up-model",
        "responseId": "resp-up",
    }


def calls(plan: Plan) -> list[dict[str, Any]]:
    """Only the first of parallel calls is signed ("Thought signatures")."""
    found: list[dict[str, Any]] = [
        {"functionCall": {"name": name, "args": arguments}} for _, name, arguments in plan.calls
    ]
    if found:
        found[0]["thoughtSignature"] = SIGNATURE
    return found


def whole(plan: Plan) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if plan.thinking:
        parts.append({"text": plan.thinking, "thought": True})
    if plan.text:
        parts.append({"text": plan.text})
    return answer([*parts, *calls(plan)], "STOP", plan)


def stream(plan: Plan) -> list[bytes]:
    spoken: list[list[dict[str, Any]]] = [
        [{"text": piece, "thought": True}] for piece in pieces(plan.thinking)
    ]
    spoken += [[{"text": piece}] for piece in pieces(plan.text)]
    spoken += [[call] for call in calls(plan)]
    last = len(spoken) - 1
    return [
        b"data: "
        + json.dumps(answer(parts, "STOP" if at == last else None, plan)).encode()
        + b"\r\n\r\n"
        for at, parts in enumerate(spoken)
    ]
