"""One realtime session: frames pass both ways, and each answer is charged before its end is shown.

A session is a row of turns. A turn is an exchange like any other: admitted, held for, settled and
recorded; it ends with the provider's `response.done`, which the client gets once the charge is
durable, and the next turn begins. When a turn is refused (no credit, a limit) the client is told in
an `error` event and both sides are closed. Frames are awaited one by one, so the slower side sets
the pace, and their size is bounded.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import aiohttp
import msgspec

from gateway.base.errors import GatewayError, InvalidRequest, ShuttingDown, UpstreamTruncated
from gateway.platform.metering.modal import ModalTokens, usage_of
from gateway.platform.metering.usage import Basis
from gateway.proxy.exchange import Exchange
from gateway.proxy.providers.failure import without_secrets
from gateway.proxy.realtime.dial import UpstreamSocket
from gateway.proxy.realtime.frames import (
    Turn,
    changes_model,
    read_client,
    read_server,
    refuse_unserved,
)

# RFC 6455, 7.4.1
NORMAL, GOING_AWAY, UNSUPPORTED, POLICY, BROKEN = 1000, 1001, 1003, 1008, 1011
_TEXT = aiohttp.WSMsgType.TEXT
_encode = msgspec.json.Encoder().encode


class Phases(NamedTuple):
    """What a session asks of the pipeline: a turn begins (or is refused), and is charged."""

    enter: Callable[[Exchange], Awaitable[None]]
    leave: Callable[[Exchange], None]


class Session:
    """One session; also what the server's sweep and stop know of it."""

    def __init__(
        self,
        client: Any,
        upstream: UpstreamSocket,
        turn: Exchange,
        following: Callable[[], Exchange],
        phases: Phases,
    ) -> None:
        plane = turn.plane
        self._client = client
        self._upstream = upstream
        self._turn: Exchange | None = turn
        self._following = following
        self._phases = phases
        self._plane = plane
        self._stopped: GatewayError | None = None
        self._task: asyncio.Task[None] | None = None
        self._name = turn.target.model if turn.target is not None else turn.model_name
        provider = turn.target.provider if turn.target is not None else None
        self._api_key = (provider.api_key if provider is not None else None) or ""
        model = turn.model
        limit = model.context_tokens + model.max_output_tokens if model is not None else 0
        self._meter = Turn(limit)
        self.done: asyncio.Future[None] = plane.loop.create_future()
        self.over = False

    # --- what the server asks -------------------------------------------------------------------

    def check(self, now_s: float) -> None:
        """Deadlines are kept by the sockets' own heartbeats."""

    def stop(self, error: GatewayError) -> None:
        """The gateway is stopping: end the session, charge what has passed."""
        self._stopped = error
        if self._task is not None:
            self._task.cancel()

    # --- the session ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Relay until either side ends. Never raises but for a cancellation from outside."""
        self._plane.attempts.add(self)
        self._task = asyncio.create_task(self._relay())
        code, outcome = NORMAL, "completed"
        try:
            await self._task
        except GatewayError as error:
            code = POLICY if error.status < 500 else BROKEN
            outcome = "refused" if error.status < 500 else "upstream_failed"
            await self._tell(error)
        except asyncio.CancelledError:
            code, outcome = GOING_AWAY, "shutdown"
            if self._stopped is None:
                self._task.cancel()
                raise
            await self._tell(ShuttingDown(retry_after_s=2))
        finally:
            self.over = True
            self._plane.attempts.discard(self)
            if self._client.closed and outcome == "completed":
                outcome = "client_gone"
            self._end_turn(self._meter.estimate(), "measured", outcome, None)
            if not self.done.done():
                self.done.set_result(None)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(5):
                    await asyncio.gather(self._client.close(code=code), self._upstream.close())

    async def _relay(self) -> None:
        async with asyncio.timeout(self._plane.limits.total_timeout_s):
            sides = {asyncio.create_task(self._up()), asyncio.create_task(self._down())}
            try:
                ended, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
                for side in ended:
                    side.result()
            finally:
                for side in sides:
                    side.cancel()
                await asyncio.gather(*sides, return_exceptions=True)

    async def _up(self) -> None:
        """From the client to the provider."""
        socket = self._upstream.socket
        async for message in self._client:
            if message.type is not _TEXT:
                raise InvalidRequest("Frames of a session are JSON in text.")
            frame = read_client(message.data)
            if frame is None:
                raise InvalidRequest("A frame is not a JSON event.")
            if changes_model(frame, self._name):
                raise InvalidRequest("A session keeps its model.", param="session.model")
            refuse_unserved(frame)
            self._meter.sent(frame)
            await socket.send_str(message.data)

    async def _down(self) -> None:
        """From the provider to the client."""
        socket = self._upstream.socket
        async for message in socket:
            if message.type is not _TEXT:
                raise UpstreamTruncated()
            frame = read_server(message.data)
            tokens = self._meter.received(frame)
            if tokens is not None:
                durable = self._plane.loop.create_future()
                self._end_turn(tokens, "reported", "completed", durable)
                await durable
            text = message.data
            if frame.type == "error" or tokens is not None:  # a failed answer says why
                text = without_secrets(text, self._api_key)
            await self._client.send_str(text)
            if tokens is not None:
                await self._next_turn()
        if socket.close_code not in (NORMAL, GOING_AWAY, None):
            raise UpstreamTruncated()

    async def _next_turn(self) -> None:
        turn = self._following()
        self._turn = turn
        try:
            await self._phases.enter(turn)
        except GatewayError as error:
            turn.error, turn.status, turn.outcome = error, error.status, "refused"
            raise

    def _end_turn(
        self,
        tokens: ModalTokens,
        basis: Basis,
        outcome: str,
        durable: asyncio.Future[None] | None,
    ) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        if turn.target is not None and turn.target.price is not None:
            turn.price = turn.target.price
        if turn.error is None:
            turn.status, turn.outcome = 200, outcome
            if tokens.total_input or tokens.total_output:
                turn.usage, turn.basis = usage_of(tokens, dict(turn.price.units)), basis
                turn.reported_input = tokens.total_input if basis == "reported" else None
        if durable is not None:
            turn.tail = lambda: None if durable.done() else durable.set_result(None)
        self._phases.leave(turn)

    async def _tell(self, error: GatewayError) -> None:
        """The error as an event, where anybody is still there to read it."""
        said = {"type": error.type, "code": error.code, "message": error.text, "param": error.param}
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1):
                await self._client.send_str(_encode({"type": "error", "error": said}).decode())
