"""The dialects alone between an SDK and a provider: no gateway, no metering, nothing kept.

Tells a fault of a dialect from one of the data plane. The model's name says which provider's
dialect is meant.
"""

import contextlib
import re
from collections.abc import AsyncIterator

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.base.errors import GatewayError
from gateway.proxy.dialects import neutral as n
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.responses import RESPONSES

CLIENTS: list[tuple[str, n.Dialect]] = [
    (r"/v1/chat/completions$", CHAT),
    (r"/v1/responses$", RESPONSES),
    (r"/v1/messages$", MESSAGES),
    (r"/v1beta/models/(?P<model>[^:]+):(?P<method>\w+)$", GEMINI),
]
WIRES: dict[str, tuple[n.Dialect, str]] = {
    "chat": (CHAT, "/v1/chat/completions"),
    "responses": (RESPONSES, "/v1/responses"),
    "messages": (MESSAGES, "/v1/messages"),
    "gemini": (GEMINI, "/v1beta/models/gemini-2.5-flash"),
}


@contextlib.asynccontextmanager
async def passage(provider_port: int) -> AsyncIterator[str]:
    """The address of a server in front of the providers on that port."""

    async def answer(request: web.Request) -> web.StreamResponse:
        found, ours = next(
            (match, dialect)
            for pattern, dialect in CLIENTS
            if (match := re.match(pattern, request.path))
        )
        named = found.groupdict()
        try:
            asked = ours.read_request(await request.read())
            stream = asked.stream or named.get("method") == "streamGenerateContent"
            model = named.get("model") or asked.model
            theirs, path = WIRES[model]
            body = theirs.write_request(msgspec.structs.replace(asked, stream=stream))
        except GatewayError as error:
            return web.Response(status=error.status, text=f"{error.param}: {error.text}")
        if theirs is GEMINI:
            path += ":streamGenerateContent?alt=sse" if stream else ":generateContent"
        facts = n.Facts("req_1", model, 1_790_000_000)
        url = f"http://127.0.0.1:{provider_port}{path}"
        async with aiohttp.ClientSession() as session, session.post(url, data=body) as upstream:
            if not stream:
                given = theirs.read_answer(await upstream.read())
                written = ours.write_answer(given, facts)
                return web.Response(body=written, content_type="application/json")
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            reader, writer = theirs.stream_reader(), ours.stream_writer(facts)
            async for data in upstream.content.iter_any():
                await response.write(writer.write(reader.feed(data)))
            await response.write(writer.write(reader.close()))
            await response.write_eof()
            return response

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")
