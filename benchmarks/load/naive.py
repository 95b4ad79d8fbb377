"""The naive proxy: aiohttp's server in front of aiohttp's client, on uvloop. A measuring stick.

usage: naive.py PORT UPSTREAM_BASE_URL, with the accepted key in NAIVE_KEY. It checks that key,
replaces it, copies bytes as they come, and does nothing else.
"""

from __future__ import annotations

import hmac
import os
import sys
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web

UPSTREAM = web.AppKey("upstream", str)
SESSION = web.AppKey("session", aiohttp.ClientSession)
EXPECTED = web.AppKey("expected", bytes)
PASSED_BACK = ("Content-Type", "x-request-id", "Cache-Control", "Retry-After")


async def forward(request: web.Request) -> web.StreamResponse:
    """Sends the request on; a stream is copied read by read, anything else in one piece."""
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, request.app[EXPECTED]):
        return web.json_response({"error": {"message": "unknown key"}}, status=401)
    url = request.app[UPSTREAM] + request.path.removeprefix("/v1")
    headers = {"Authorization": "Bearer sk-upstream", "Content-Type": "application/json"}
    body = await request.read()
    session = request.app[SESSION]
    async with session.request(request.method, url, data=body, headers=headers) as upstream:
        kept = {name: upstream.headers[name] for name in PASSED_BACK if name in upstream.headers}
        if upstream.content_length is not None:
            whole = await upstream.read()
            return web.Response(status=upstream.status, headers=kept, body=whole)
        answer = web.StreamResponse(status=upstream.status, headers=kept)
        await answer.prepare(request)
        async for part in upstream.content.iter_any():
            await answer.write(part)
        await answer.write_eof()
        return answer


async def hold_session(app: web.Application) -> AsyncIterator[None]:
    """One client session for the life of the server, with as many connections as are asked."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=90)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        app[SESSION] = session
        yield


def main() -> None:
    """Serves until it is killed."""
    app = web.Application(client_max_size=32 << 20)
    app[UPSTREAM] = sys.argv[2]
    app[EXPECTED] = f"Bearer {os.environ['NAIVE_KEY']}".encode()
    app.cleanup_ctx.append(hold_session)
    app.router.add_route("*", "/v1/{rest:.*}", forward)
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
        backlog=4096,
        handler_cancellation=True,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
