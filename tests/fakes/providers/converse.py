"""Amazon Bedrock's Converse and ConverseStream, as botocore's service model states their shapes.

What is asked must pass botocore's own validation of a request, so a member that the API does not
have, a missing one or one of another type fails the test that sent it.
"""

import functools
import json
from typing import Any

import botocore.session
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.fakes.providers.bedrock import frame
from tests.fakes.providers.plan import CACHED, INPUT, OUTPUT, SIGNATURE, Plan, Seen, pieces


@functools.cache
def service() -> ServiceModel:
    session: Any = botocore.session.get_session()
    model: ServiceModel = session.get_service_model("bedrock-runtime")
    return model


def validate(value: dict[str, Any], shape: Any) -> None:
    """Raises AssertionError with botocore's words."""
    make: Any = ParamValidator
    report = make().validate(value, shape)
    assert not report.has_errors(), report.generate_report()


def understand(body: dict[str, Any]) -> Seen:
    operation: Any = service().operation_model("Converse")
    validate({**body, "modelId": "m"}, operation.input_shape)
    inference = body.get("inferenceConfig", {})
    seen = Seen(max_tokens=inference.get("maxTokens"))
    seen.system = "".join(block.get("text", "") for block in body.get("system", ()))
    roles = [message["role"] for message in body["messages"]]
    assert roles == [("user", "assistant")[at % 2] for at in range(len(roles))]
    for message in body["messages"]:
        assert message["content"]
        for block in message["content"]:
            assert len(block) == 1
            _understand_block(block, message["role"], seen)
    for tool in body.get("toolConfig", {}).get("tools", ()):
        if "toolSpec" in tool:
            assert tool["toolSpec"]["inputSchema"]["json"]["type"] == "object"
            seen.tools.append(tool["toolSpec"]["name"])
    form = body.get("outputConfig", {}).get("textFormat")
    if form is not None:
        seen.schema = json.loads(form["structure"]["jsonSchema"]["schema"])
    additional = body.get("additionalModelRequestFields", {})
    seen.thinks = additional.get("reasoningConfig", {}).get("type") == "enabled"
    return seen


def _understand_block(block: dict[str, Any], role: str, seen: Seen) -> None:
    if "text" in block:
        assert block["text"].strip()
        if role == "user":
            seen.texts.append(block["text"])
    elif "image" in block:
        seen.images.append(block["image"]["source"]["bytes"])
    elif "toolResult" in block:
        seen.results.append(block["toolResult"]["content"][0]["text"])
    elif "reasoningContent" in block:
        seen.signatures.append(block["reasoningContent"]["reasoningText"]["signature"])


def usage() -> dict[str, Any]:
    return {
        "inputTokens": INPUT - CACHED,
        "outputTokens": OUTPUT,
        "totalTokens": INPUT + OUTPUT,
        "cacheReadInputTokens": CACHED,
        "cacheWriteInputTokens": 0,
    }


def content(plan: Plan) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if plan.thinking:
        thought = {"text": plan.thinking, "signature": SIGNATURE}
        found.append({"reasoningContent": {"reasoningText": thought}})
    if plan.text:
        found.append({"text": plan.text})
    for id_, name, arguments in plan.calls:
        found.append({"toolUse": {"toolUseId": id_, "name": name, "input": arguments}})
    return found


def whole(plan: Plan) -> dict[str, Any]:
    message = {"role": "assistant", "content": content(plan)}
    return {
        "output": {"message": message},
        "stopReason": "tool_use" if plan.calls else "end_turn",
        "usage": usage(),
        "metrics": {"latencyMs": 7},
    }


def events(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """(name, payload), in order; a block of text or reasoning has no start."""
    found: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(content(plan)):
        if "toolUse" in block:
            use = block["toolUse"]
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            found.append(("contentBlockStart", {"start": start, "contentBlockIndex": index}))
            deltas = [{"toolUse": {"input": piece}} for piece in pieces(json.dumps(use["input"]))]
        elif "text" in block:
            deltas = [{"text": piece} for piece in pieces(block["text"])]
        else:
            thought = block["reasoningContent"]["reasoningText"]
            said = [{"text": piece} for piece in pieces(thought["text"])]
            said.append({"signature": thought["signature"]})
            deltas = [{"reasoningContent": one} for one in said]
        found += [
            ("contentBlockDelta", {"delta": delta, "contentBlockIndex": index}) for delta in deltas
        ]
        found.append(("contentBlockStop", {"contentBlockIndex": index}))
    reason = "tool_use" if plan.calls else "end_turn"
    found.append(("messageStop", {"stopReason": reason}))
    found.append(("metadata", {"usage": usage(), "metrics": {"latencyMs": 7}}))
    return found


def stream(plan: Plan) -> list[bytes]:
    """Each event's frame, padded as Amazon pads them."""
    return [
        frame(json.dumps({**payload, "p": "abcdefgh"}).encode(), name)
        for name, payload in events(plan)
    ]
