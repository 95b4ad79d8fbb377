"""A provider on loopback that answers every POST with prepared bytes, for official SDKs to read."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Serve = Callable[[Any], Awaitable[TestServer]]


async def answering(serve: Serve, body: bytes, content_type: str, *, piece: int = 0) -> str:
    """The address of a server that answers `body`, in pieces of `piece` bytes where that is set."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        if not piece:
            return web.Response(body=body, content_type=content_type)
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        for at in range(0, len(body), piece):
            await response.write(body[at : at + piece])
            await asyncio.sleep(0)
        return response

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    server = await serve(app)
    return str(server.make_url("/")).rstrip("/")
