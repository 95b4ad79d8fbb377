"""A wire that answers one request with several of a provider's: embeddings of many texts.

To an attempt it looks like a connection. What it carries besides batches it hands to the pooled
connection it was made with. The requests of a batch go out PARALLEL at a time over the same pool,
each signed just before it is sent; the first that fails is the batch's answer, and the others are
given up. A pooled connection that dies before it answers is redone once on a fresh one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

import msgspec

from gateway.base.errors import GatewayError, ResponseTooLarge, UpstreamUnreachable
from gateway.proxy.providers.embedding import Batch, Part, joined, part_of
from gateway.proxy.upstream.connection import Receiver

PARALLEL = 8
MARK = b"\0batch"  # no request over HTTP begins so
MAX_ANSWER_BYTES = 16 << 20
JSON = {b"content-type": b"application/json"}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Batch).decode


class Lines(NamedTuple):
    """What a batch needs of its provider: connections, and a request made of a path and a body."""

    take_idle: Callable[[], Any]
    dial: Callable[[], Awaitable[Any]]
    request: Callable[[str, bytes], bytes]


def written(batch: Batch) -> bytes:
    """A batch as the bytes of a request."""
    return MARK + _encode(batch)


class BatchWire:
    """One wire. `inner` is the connection it was made with."""

    __slots__ = ("_failed", "_inner", "_lines", "_live", "_spare", "_task", "started")

    def __init__(self, inner: Any, lines: Lines) -> None:
        self.started = False
        self._inner = inner
        self._lines = lines
        self._task: asyncio.Task[None] | None = None
        self._live: set[Any] = set()  # connections that a request of the batch waits at
        self._spare: list[Any] = []  # the inner one, until the batch's first request takes it
        self._failed = False

    @property
    def closed(self) -> bool:
        """Whether it can carry nothing more."""
        return bool(self._inner.closed)

    @property
    def reused(self) -> bool:
        """Whether its connection had answered before. A batch redoes what that concerns itself."""
        return self._task is None and bool(self._inner.reused)

    def request(self, data: bytes, receiver: Receiver) -> None:
        """Send a request, or carry out a batch."""
        if data.startswith(MARK):
            self._spare = [self._inner]
            run = self._run(_decode(data[len(MARK) :]), receiver)
            self._task = asyncio.get_running_loop().create_task(run)
        else:
            self._inner.request(data, receiver)

    def abandon(self) -> None:
        """The answer is no longer wanted."""
        if self._task is None:
            self._inner.abandon()
            return
        self._task.cancel()
        for connection in (*self._live, *self._spare):  # others may serve somebody else by now
            connection.abandon()

    def pause(self) -> None:
        """Stop reading; an answer to a batch is small."""
        if self._task is None:
            self._inner.pause()

    def resume(self) -> None:
        """Read on."""
        if self._task is None:
            self._inner.resume()

    def stop_relay(self) -> None:
        """Hand the body to the receiver again."""
        self._inner.stop_relay()

    def send_away(self, pump: Any, client: int) -> bool | None:
        """Let the pump carry a stream."""
        return cast(bool | None, self._inner.send_away(pump, client))

    def come_home(self) -> None:
        """Read in this process's loop again."""
        self._inner.come_home()

    def relay(self, meter: Any, write: Any, grow_at: int, last: bytes) -> Any:
        """Let reads go to the client in one native call each."""
        return self._inner.relay(meter, write, grow_at, last)

    # --- a batch --------------------------------------------------------------------------------

    async def _run(self, batch: Batch, receiver: Receiver) -> None:
        try:
            answers = await self._answers(batch)
            failed = next((each for each in answers if each.status != 200), None)
            if failed is None:
                parts = [each.part for each in answers if each.part is not None]
                status, headers, body = 200, JSON, joined(batch, parts)
            else:
                status, headers, body = failed.status, failed.headers, bytes(failed.body)
        except GatewayError as error:
            receiver.failed(error)
            return
        receiver.head(status, headers)
        receiver.data(body)
        receiver.ended()

    async def _answers(self, batch: Batch) -> "list[_Answer]":
        """The answers in order; those after a failed one may be missing."""
        gate = asyncio.Semaphore(PARALLEL)

        async def one(body: bytes) -> _Answer | None:
            async with gate:
                if self._failed:
                    return None
                connection = self._spare.pop() if self._spare else self._lines.take_idle()
                answer = await self._ask(batch.path, body, connection)
                if answer.status == 200:
                    answer.part = part_of(bytes(answer.body), answer.headers)
                else:
                    self._failed = True
                return answer

        async def plain(body: bytes) -> _Answer | GatewayError | None:
            try:
                return await one(body)
            except GatewayError as error:  # as a value: a group of tasks would wrap it
                self._failed = True
                return error

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(plain(bytes(body))) for body in batch.bodies]
        found = [task.result() for task in tasks]
        for each in found:
            if isinstance(each, GatewayError):
                raise each
        return [each for each in found if isinstance(each, _Answer)]

    async def _ask(self, path: str, body: bytes, connection: Any) -> "_Answer":
        request = self._lines.request(path, body)
        for last in (False, True):
            if connection is None:
                connection = await self._lines.dial()
            answer = _Answer()
            self._live.add(connection)
            try:
                connection.request(request, answer)
                await answer.done
                self.started = True
                return answer
            except UpstreamUnreachable:
                if last or not connection.reused or connection.started:
                    raise
                connection = None
            except GatewayError:
                connection.abandon()
                raise
            finally:
                self._live.discard(connection)
        raise AssertionError("unreachable")


class _Answer:
    """A whole answer to one request of the batch."""

    __slots__ = ("body", "done", "headers", "part", "status")

    def __init__(self) -> None:
        self.part: Part | None = None
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = bytearray()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The head has come."""
        self.status, self.headers = status, headers

    def data(self, data: bytes) -> None:
        """A piece of the body has come."""
        self.body += data
        if len(self.body) > MAX_ANSWER_BYTES:
            self.failed(ResponseTooLarge())

    def relayed(self) -> None:
        """Nothing is relayed here."""

    def ended(self) -> None:
        """The answer is whole."""
        if not self.done.done():
            self.done.set_result(None)

    def failed(self, error: GatewayError) -> None:
        """The connection broke."""
        if not self.done.done():
            self.done.set_exception(error)
