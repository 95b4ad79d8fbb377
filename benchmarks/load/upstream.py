"""The mock upstream as an object: starts `mock` on a free port and reads its journal.

For tests and benchmarks alike. Blocking, standard library only. The journal names requests by
the `id=` of their directive; times are CLOCK_MONOTONIC microseconds of this machine, so they
compare with `time.monotonic_ns() // 1000`.
"""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from benchmarks.load.build import build

START_TIMEOUT_S = 10.0


class Upstream:
    """A running mock; a context manager that ends it.

    `prefix` goes before the command (for instance `("taskset", "-c", "1")`); it must exec, so
    that `pid` is the mock itself. Raises `BuildError` when it cannot be compiled and
    `RuntimeError` when it does not come up.
    """

    def __init__(self, prefix: Sequence[str] = (), port: int = 0) -> None:
        program = build("mock")
        self._process = subprocess.Popen([*prefix, str(program), str(port)], stdout=subprocess.PIPE)
        self.pid = self._process.pid
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the mock did not start (exit {self._process.wait()})")
        self.port: int = json.loads(line)["port"]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the mock at once; its connections are reset by the kernel. May be called twice."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def fetch(self, path: str) -> bytes:
        """The body of GET `path`, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def stats(self) -> dict[str, int]:
        """Counters: requests, streams, completed, aborted, faulted, chunks, connections, open,
        active, max_active; and now_us, the mock's clock, and serial, of the last request."""
        answer: dict[str, int] = json.loads(self.fetch("/stats"))
        return answer

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """All requests with a serial above `after` that the ring (65,536) still holds, each with
        serial, id, connection, begun_us, ended_us, streaming, status, pieces, sent, out_tokens
        and end: whole, aborted (the caller left), fault (the mock broke it) or open."""
        found: list[dict[str, Any]] = []
        while page := json.loads(self.fetch(f"/requests?after={after}")):
            found += page
            after = page[-1]["serial"]
        return found

    def aborts(self, after: int = 0) -> list[dict[str, Any]]:
        """The requests whose caller left; `ended_us` is when the mock saw it."""
        answer: list[dict[str, Any]] = json.loads(self.fetch(f"/aborts?after={after}"))
        return answer

    def last_request(self) -> bytes:
        """Head and body of the last request that was not about the journal, up to 256 KiB."""
        return self.fetch("/last")
