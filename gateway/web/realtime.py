"""The door of realtime sessions: `GET /v1/realtime?model=NAME` as a WebSocket.

Refusals before the handshake are whole answers in the API's error shape. Browsers cannot set a
header, so a key may come as the subprotocol `openai-insecure-api-key.KEY`, as at OpenAI.
"""

import asyncio
from typing import cast

from aiohttp import web

from gateway.base.errors import GatewayError, InternalError, InvalidRequest
from gateway.proxy.application import ADDRESSES, TITLES
from gateway.proxy.dialects.endpoints import REALTIME
from gateway.proxy.dialects.errors import error_body, error_headers
from gateway.proxy.exchange import Client, Exchange, Plane
from gateway.proxy.media.request import MediaRequest
from gateway.proxy.pipeline import enter_turn, leave_turn
from gateway.proxy.realtime.dial import HEARTBEAT_S, dial
from gateway.proxy.realtime.session import Phases, Session
from gateway.web.security import REQUEST_ID

KEY_PROTOCOL = "openai-insecure-api-key."
MAX_MODEL_CHARS = 256
_PHASES = Phases(enter_turn, leave_turn)


class _Nobody:
    """The client of a turn: its answer goes out as frames, past the exchange."""

    closed = False
    task: asyncio.Task[None] | None = None

    def __init__(self, transport: asyncio.Transport | None) -> None:
        self.transport = transport  # the caller's, to tell where a turn comes from

    def respond(self, status: int, headers: bytes, body: bytes | list[bytes]) -> None:
        """Nothing is answered here."""

    def start(self, status: int, headers: bytes) -> None:
        """Nothing is answered here."""

    def send(self, data: bytes) -> None:
        """Nothing is answered here."""

    def end(self, tail: bytes) -> None:
        """Nothing is answered here."""

    def abort(self) -> None:
        """Nothing is answered here."""


class Realtime:
    """Opens sessions over one data plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def routes(self) -> list[web.RouteDef]:
        """The one address."""
        return [web.get("/v1/realtime", self.open)]

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Admit, dial the provider, shake hands, relay."""
        plane = self._plane
        protocols = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        offered = [protocol.strip() for protocol in protocols]
        name = request.query.get("model", "")

        hops = ",".join(request.headers.getall("X-Forwarded-For", []))
        headers = {b"x-forwarded-for": hops.encode("latin-1", "replace")}
        for each in (*TITLES, *ADDRESSES):
            value = request.headers.get(each.decode())
            if value is not None:
                headers[each] = value.encode("utf-8", "surrogateescape")

        def turn() -> Exchange:
            client = cast(Client, _Nobody(request.transport))
            x = Exchange(plane, client, REALTIME, b"", _bearer(request, offered), headers)
            x.model_name, x.stream = name, True
            x.media = MediaRequest("realtime", "realtime", name, True)
            return x

        first = turn()
        request[REQUEST_ID] = first.id  # the one that the log knows
        try:
            if not 0 < len(name) <= MAX_MODEL_CHARS:
                raise InvalidRequest("`model` must be a model's name.", param="model")
            if request.headers.get("Upgrade", "").lower() != "websocket":
                raise InvalidRequest("Open a WebSocket here.")
            await enter_turn(first)
            target = first.candidates[0].targets[0]
            first.target = target
            upstream = await dial(
                target.provider,
                target.model,
                timeout_s=plane.settings.upstream_connect_timeout_s,
                max_frame_bytes=plane.limits.max_event_bytes,
            )
        except GatewayError as error:
            return _refused(first, error)
        except BaseException:
            _refused(first, InternalError())
            raise
        first.attempts = 1

        def following() -> Exchange:
            x = turn()
            x.target, x.attempts = target, 1
            return x

        socket = web.WebSocketResponse(
            protocols=("realtime",) if "realtime" in offered else (),
            heartbeat=HEARTBEAT_S,
            compress=False,
            max_msg_size=plane.limits.max_event_bytes,
        )
        session = Session(socket, upstream, first, following, _PHASES)
        await socket.prepare(request)
        await session.run()
        return socket


def _bearer(request: web.Request, protocols: list[str]) -> str:
    value = request.headers.get("Authorization", "")
    if value:
        return value
    for protocol in protocols:
        if protocol.startswith(KEY_PROTOCOL):
            return f"Bearer {protocol.removeprefix(KEY_PROTOCOL)}"
    return ""


def _refused(x: Exchange, error: GatewayError) -> web.Response:
    x.error, x.status, x.outcome = error, error.status, "refused"
    leave_turn(x)
    lines = error_headers(error, "openai", x.id).decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines if line]
    headers = {name: value for name, value in pairs if name != "Content-Type"}
    return web.Response(
        status=error.status,
        body=error_body(error, "openai", x.id),
        headers=headers,
        content_type="application/json",
    )
