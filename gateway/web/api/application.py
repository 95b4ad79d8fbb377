"""Puts the self-service API together: its operations, their routes, and `/openapi.json`."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

import msgspec
from aiohttp import web

from gateway.platform.assembly import Platform
from gateway.web.api import account, keys, organisation_keys, organisations, usage
from gateway.web.api.door import Door, Operation
from gateway.web.api.openapi import InferencePath, build_document
from gateway.web.guard import public

OPERATIONS: tuple[Operation, ...] = (
    *account.OPERATIONS,
    *keys.OPERATIONS,
    *usage.OPERATIONS,
    *organisations.OPERATIONS,
    *organisation_keys.OPERATIONS,
)


def own_version() -> str:
    """The version that is installed."""
    try:
        return version("tallygate")
    except PackageNotFoundError:
        return "0"


class Api:
    """The routes of the API. `document` is the OpenAPI document, for whoever renders it."""

    def __init__(self, platform: Platform, inference: Iterable[InferencePath]) -> None:
        self.document = build_document(OPERATIONS, inference, own_version())
        self._rendered = msgspec.json.encode(self.document)
        self._door = Door(platform)

    def routes(self) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            *self._door.routes(OPERATIONS),
            public(web.get("/openapi.json", self.describe)),
        ]

    async def describe(self, request: web.Request) -> web.Response:
        """The document; it names no account and no model, so anybody may have it."""
        return web.Response(body=self._rendered, content_type="application/json")
