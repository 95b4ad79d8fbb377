"""What the OpenAPI document allows of the inference endpoints never makes the server fail.

The document describes what metering needs of them; other fields pass through. So that requests come
further than the question for the model, the models offered are named here and the fields that the
gateway reads, with any value.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from tests.fakes.endpoints import ASKED, FORMS, KINDS, catalog, provide
from tests.fakes.gateway import RunningGateway, running
from tests.fakes.upstream import FakeUpstream
from tests.web.api.test_openapi import MADE, document

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
EXAMPLES = 5 * MADE.max_examples  # of each operation
TEXT_MODELS = [*(f"by-{kind}" for kind in KINDS), "sandbox/echo", "sandbox/lorem"]
READ = (
    *("messages", "input", "prompt", "contents", "documents", "query", "system", "instructions"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "generationConfig", "tools"),
    *("stream_options", "models", "background", "size", "quality", "stream_format", "file"),
    *("temperature", "stop", "tool_choice", "response_format", "thinking", "reasoning", "image"),
)


@pytest.fixture
async def gateway(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[RunningGateway]:
    upstream.handler = provide
    async with running(
        tmp_path / "data", catalog=catalog(upstream.port), credit_usd="100000"
    ) as one:
        yield one


def aimed(described: dict[str, Any]) -> dict[str, Any]:
    """The inference part of the document, with models that are there and fields that are read."""
    paths = {
        path: methods
        for path, methods in described["paths"].items()
        if not path.startswith("/api/")
    }
    whole = described["components"]["schemas"]["InferenceBody"]
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        name = operation["operationId"].partition("_")[2]
        media = ASKED.get(name, {}).get("model") or FORMS.get(name)
        # A model that is priced for media alone is not to be asked for text.
        models = {"enum": [media] if media else TEXT_MODELS}
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = models
        for content in operation.get("requestBody", {}).get("content", {}).values():
            body = whole if "$ref" in content["schema"] else {"type": "object"}
            read: dict[str, Any] = {field: {} for field in READ}
            named = {"model": models} if "$ref" in content["schema"] else {}
            content["schema"] = body | {"properties": body.get("properties", {}) | named | read}
    return described | {"paths": paths}


async def test_what_the_document_allows_of_inference_never_fails(gateway: RunningGateway) -> None:
    schema = schemathesis.openapi.from_dict(aimed(await document(gateway)))
    schema.config.base_url = gateway.url

    statuses: Counter[int] = Counter()

    def run() -> None:
        for found in schema.get_all_operations():
            operation = found.ok()
            cases = st.one_of(operation.as_strategy(), negative(operation))

            @settings(MADE, max_examples=EXAMPLES)
            @given(case=cases)
            def check(case: schemathesis.Case) -> None:
                case.headers = {**(case.headers or {}), "Authorization": f"Bearer {gateway.key}"}
                answer = case.call_and_validate(checks=CHECKS)
                statuses[answer.status_code] += 1

            check()

    await asyncio.to_thread(run)
    print(f"{statuses.total()} cases: {dict(statuses)}")
    assert statuses.total() >= EXAMPLES and statuses[200] and statuses[400]
    await gateway.assert_nothing_leaked()


def negative(operation: Any) -> Any:
    """Cases that the document does not allow."""
    mode = schemathesis.GenerationMode.NEGATIVE
    return operation.as_strategy(generation_mode=mode)
