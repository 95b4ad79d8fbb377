"""A provider under the test's control: raw sockets, so that every fault can be played exactly."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

DONE = b"data: [DONE]\n\n"


@dataclass
class Received:
    """One request as it came over the wire."""

    head: bytes
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.split(": ", 1) for line in lines if line)
        return {name.lower(): value for name, value in pairs}


Handler = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def chunk(
    text: str | None = None, *, index: int = 0, finish: str | None = None, **more: Any
) -> bytes:
    """One chat.completion.chunk event."""
    delta = {} if text is None else {"content": text}
    choice = {"index": index, "delta": {**delta, **more}, "finish_reason": finish}
    return event({"choices": [choice]})


def event(payload: dict[str, Any]) -> bytes:
    """A data-only event with the usual envelope of a chat chunk."""
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up"}
    return b"data: " + json.dumps({**base, **payload}).encode() + b"\n\n"


def usage_event(prompt: Any, completion: Any) -> bytes:
    """The extra chunk OpenAI sends for include_usage."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event({"choices": [], "usage": usage})


def completion(
    text: str = "hello", prompt: Any = 7, output: Any = 3, **more: Any
) -> dict[str, Any]:
    """A whole chat.completion."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": 0}
    base = {"id": "c1", "object": "chat.completion", "created": 1, "model": "up"}
    return {**base, "choices": [choice], "usage": usage, **more}


SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Set-Cookie: up=1\r\nopenai-organization: org-secret\r\nServer: up\r\n\r\n"
)


def framed(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def streaming(*events: bytes, pause_s: float = 0, end: bool = True) -> Handler:
    """A handler that streams these events, each in its own write."""

    async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE_HEAD)
        for data in events:
            writer.write(framed(data))
            await writer.drain()
            if pause_s:
                await asyncio.sleep(pause_s)
        if end:
            writer.write(b"0\r\n\r\n")

    return handle


def answering(payload: Any, status: int = 200, headers: bytes = b"") -> Handler:
    """A handler that answers with JSON (or raw bytes)."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()

    async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b"
            % (status, headers, len(body), body)
        )

    return handle


def raw(*pieces: bytes, then: str = "close") -> Handler:
    """A handler that writes bytes as they are, then closes, resets or hangs."""

    async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)
        if then == "hang":
            await asyncio.sleep(3600)
        elif then == "reset":
            reset(writer)
        else:
            writer.close()

    return handle


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class FakeUpstream:
    """The server. `handler` may be swapped between requests."""

    handler: Handler = field(default_factory=lambda: answering(completion()))
    requests: list[Received] = field(default_factory=list)
    open: int = 0
    closed_early: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> "FakeUpstream":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aenter__(self) -> "FakeUpstream":
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.open += 1
        try:
            first = await reader.read(1)
            while first:
                request = Received(first + await reader.readuntil(b"\r\n\r\n"), b"")
                size = int(request.headers.get("content-length", "0"))
                request.body = await reader.readexactly(size)
                self.requests.append(request)
                handling = asyncio.ensure_future(self.handler(request, writer))
                gone = asyncio.ensure_future(reader.read(1))
                await asyncio.wait({handling, gone}, return_when=asyncio.FIRST_COMPLETED)
                failed = handling.done() and handling.exception() is not None
                if failed or not handling.done():
                    self.closed_early += 1
                    handling.cancel()
                    await asyncio.gather(gone, handling, return_exceptions=True)
                    break
                if writer.is_closing():
                    break
                await writer.drain()
                first = await gone
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            with contextlib.suppress(ConnectionError):
                writer.close()
