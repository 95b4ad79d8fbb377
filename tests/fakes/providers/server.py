"""All the providers behind one port, told apart by their paths."""

import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.fakes.providers import bedrock, chat, converse, gemini, messages, responses
from tests.fakes.providers.plan import Seen, plan

EVENTS = "text/event-stream"
ROUTES: list[tuple[str, ModuleType, str]] = [
    (r"/v1/chat/completions$", chat, EVENTS),
    (r"/v1/responses$", responses, EVENTS),
    (r"/v1/messages$", messages, EVENTS),
    (r"/v1beta/models/(?P<model>[^:]+):(generateContent|streamGenerateContent)$", gemini, EVENTS),
    (
        r"/model/(?P<model>[^/]+)/(invoke|invoke-with-response-stream)$",
        bedrock,
        "application/vnd.amazon.eventstream",
    ),
    (
        r"/model/(?P<model>[^/]+)/(converse|converse-stream)$",
        converse,
        "application/vnd.amazon.eventstream",
    ),
]


@dataclass
class Providers:
    """The running server, and what it was asked."""

    port: int
    seen: list[Seen] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def providers() -> AsyncIterator[Providers]:
    """Every provider on one port of loopback."""
    running = Providers(0)

    async def answer(request: web.Request) -> web.StreamResponse:
        for pattern, dialect, kind in ROUTES:
            found = re.match(pattern, unquote(request.path))
            if found is None:
                continue
            body = json.loads(await request.read())
            seen = dialect.understand(body)
            seen.model = found.groupdict().get("model") or seen.model
            running.seen.append(seen)
            running.bodies.append(body)
            running.paths.append(request.path)
            if not (body.get("stream") or "stream" in request.path):
                return web.json_response(dialect.whole(plan(seen)))
            response = web.StreamResponse(headers={"Content-Type": kind})
            await response.prepare(request)
            for event in dialect.stream(plan(seen)):
                await response.write(event)
            await response.write_eof()
            return response
        return web.Response(status=404)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app) as server:
        assert server.port is not None
        running.port = server.port
        yield running
