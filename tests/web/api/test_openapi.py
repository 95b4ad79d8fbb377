"""The OpenAPI document is valid, whole, and true: what it allows never makes the server fail."""

import asyncio
import os
from typing import Any

import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.proxy.dialects.endpoints import BY_NAME
from tests.fakes.gateway import RunningGateway
from tests.web.api.conftest import Program, spend

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = int(os.environ.get("TALLYGATE_TEST_EXAMPLES", "12"))  # of each operation
# How cases are made: the same ones each time, and none is kept or shrunk.
MADE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


async def document(gateway: RunningGateway) -> dict[str, Any]:
    async with gateway.session.get(f"{gateway.url}/openapi.json") as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


async def test_the_document_is_valid_and_names_every_route(gateway: RunningGateway) -> None:
    described = await document(gateway)
    validate(described)
    app = gateway.gateway._runner.app
    assert isinstance(app, web.Application)
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD"  # made beside every GET, with the same handler
        and route.resource is not None
        and route.resource.canonical.startswith("/api/")
    }
    listed = {(method, path) for path, methods in described["paths"].items() for method in methods}
    assert served == {each for each in listed if each[1].startswith("/api/")}
    inference = {path.replace("{model}", "{m}") for _, path in listed if "/api/" not in path}
    spoken = {each.path for each in BY_NAME.values() if each.path}  # Converse is never asked here
    assert inference == spoken | {"/v1/models"}


async def test_what_the_document_allows_never_fails(
    gateway: RunningGateway, program: Program
) -> None:
    """Valid and broken input of every operation: no 5xx, and every answer as described."""
    await spend(gateway, 1)
    described = await document(gateway)
    described["paths"] = {
        path: methods for path, methods in described["paths"].items() if path.startswith("/api/")
    }
    schema = schemathesis.openapi.from_dict(described)
    schema.config.base_url = gateway.url

    def run() -> int:
        count = 0
        for found in schema.get_all_operations():
            operation = found.ok()

            @MADE
            @given(case=operation.as_strategy())
            def check(case: schemathesis.Case) -> None:
                nonlocal count
                count += 1
                case.headers = {**(case.headers or {}), **program.headers}
                case.cookies = {}
                case.call_and_validate(checks=CHECKS)

            check()
        return count

    assert await asyncio.to_thread(run) >= len(described["paths"])
    await gateway.assert_nothing_leaked()
