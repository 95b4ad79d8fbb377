"""Between accept and admit: an equal request of the same account may be answered from memory.

Off unless the key or the header `x-tallygate-cache` asks (`ttl=SECONDS`, or `no-store`). Equal is
what has the same account, endpoint, model, body bytes and the headers that change an answer. Only
whole answers are kept: status 200, to their end, with nothing reported amiss. A hit costs nothing
and is metered as nothing; the tokens of the first answer stand in its row as measured. It counts as
a request of the limits, without tokens. Prompts and answers are in memory only.
"""

import asyncio
import re
from functools import partial
from hashlib import sha256

from gateway.base.errors import InvalidRequest
from gateway.platform.catalog import Model, Snapshot
from gateway.proxy.cache_store import MAX_ENTRY_BYTES, Entry
from gateway.proxy.dialects.limit_headers import limit_headers
from gateway.proxy.drive import Drive
from gateway.proxy.exchange import Client, Exchange
from gateway.proxy.upstream.lines import extra_headers, stream_headers

HEADER = b"x-tallygate-cache"
MAX_BODY_BYTES = 1 << 20
_TTL = re.compile(rb"ttl=([0-9]{1,9})")
_VARY = (b"anthropic-version", b"anthropic-beta", b"x-tallygate-fallbacks")


def answered_before(x: Exchange) -> bool:
    """Whether the answer is in memory and ready in `x.tail`; else, if asked, keep the one to come.

    Raises InvalidRequest for a header that says neither `ttl` nor `no-store`, and on a hit the
    limiter's refusals.
    """
    key = x.key
    assert key is not None
    asked = x.headers.get(HEADER)
    if asked is None and key.cache_ttl_s is None:
        return False
    ttl_s = min(asked_ttl_s(asked, key.cache_ttl_s or 0), x.plane.cache.max_ttl_s)
    if not ttl_s or x.media is not None or x.endpoint.counts or len(x.body) > MAX_BODY_BYTES:
        return False
    model = offered(x.plane.catalog.snapshot, x.model_name)
    if model is None:
        return False
    digest = digest_of(x)
    now_s = x.plane.clock.monotonic_s()
    entry = x.plane.cache.get(digest, now_s)
    if entry is not None and entry.model is not model and entry.model != model:
        x.plane.cache.drop(digest)
        entry = None
    if entry is not None and now_s - entry.stored_s < ttl_s:
        replay(x, entry, int(now_s - entry.stored_s))
        return True
    x.lines += b"x-tallygate-cache: miss\r\n"
    x.client = Keeper(x, digest, model, ttl_s)
    return False


def asked_ttl_s(asked: bytes | None, default_s: int) -> int:
    """How long an answer may be kept, in seconds; 0: neither kept nor shown."""
    if asked is None:
        return default_s
    if asked == b"no-store":
        return 0
    found = _TTL.fullmatch(asked)
    if found is None:
        raise InvalidRequest("`x-tallygate-cache` is `ttl=SECONDS` or `no-store`.")
    return int(found[1])


def offered(snapshot: Snapshot, name: str) -> Model | None:
    """The model that a request names, sandbox options aside."""
    model = snapshot.named(name)
    if model is None and name.startswith("sandbox/"):
        model = snapshot.named(name.partition(":")[0])
    return model


def digest_of(x: Exchange) -> bytes:
    """SHA-256 over all that makes two requests equal, the account first, each part delimited."""
    assert x.key is not None
    parts = [
        x.key.account.id.encode(),
        x.endpoint.name.encode(),
        x.model_name.encode("utf-8", "surrogatepass"),
        b"stream" if x.stream else b"whole",
        *(x.headers.get(name, b"") for name in _VARY),
        x.body,
    ]
    digest = sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def replay(x: Exchange, entry: Entry, age_s: int) -> None:
    """Make a kept answer the end of this request."""
    key = x.key
    assert key is not None
    x.lines += b"x-tallygate-cache: hit\r\nage: %d\r\n" % age_s
    terms = key.account.limits
    if terms is not None:
        limiter = x.plane.limiter
        now_us = x.plane.clock.now_us()
        try:
            x.grant = limiter.admit(
                key.account.no, key.no, terms, prompt_tokens=0, output_tokens=0, started_us=now_us
            )
        finally:
            rates = limiter.standing(key.account.no, key.no, terms)
            x.lines += limit_headers(*rates, now_us, x.endpoint.family)
    x.model = entry.model
    x.measured_input, x.measured_output = entry.measured_input, entry.measured_output
    x.measured_exact = entry.measured_exact
    x.status, x.outcome, x.answered = 200, "cache_hit", True
    if entry.stream:
        x.tail = partial(_stream, x.client, stream_headers(x), entry.body)
        return
    headers = b"Content-Type: application/json\r\nx-request-id: %b\r\n" % x.id.encode()
    x.tail = partial(x.client.respond, 200, headers + extra_headers(x), entry.body)


def _stream(client: Client, headers: bytes, body: bytes) -> None:
    client.start(200, headers)
    client.end(body)


class Keeper:
    """A client that passes everything on, and keeps the answer if it proves to be whole."""

    def __init__(self, x: Exchange, digest: bytes, model: Model, ttl_s: int) -> None:
        self._x = x
        self._client = x.client
        self._digest = digest
        self._model = model
        self._ttl_s = ttl_s
        self._pieces: list[bytes] | None = []
        self._bytes = 0

    @property
    def closed(self) -> bool:
        """Whether the client has left."""
        return self._client.closed

    @closed.setter
    def closed(self, value: bool) -> None:
        self._client.closed = value

    @property
    def task(self) -> Drive | None:
        """What serves the exchange."""
        return self._client.task

    @task.setter
    def task(self, value: Drive | None) -> None:
        self._client.task = value

    def respond(self, status: int, headers: bytes, body: bytes | list[bytes]) -> None:
        """A whole response."""
        if status == 200:
            for piece in [body] if isinstance(body, bytes) else body:
                self._add(piece)
            self._keep(stream=False)
        self._client.respond(status, headers, body)

    def start(self, status: int, headers: bytes) -> None:
        """The head of a streamed response."""
        self._client.start(status, headers)

    def send(self, data: bytes) -> None:
        """Some body bytes."""
        if data:
            self._add(data)
        self._client.send(data)

    def chunks(self) -> asyncio.Transport | None:
        """Nothing may pass by unseen."""
        return None

    def end(self, tail: bytes) -> None:
        """The end of a streamed response."""
        self._add(tail)
        self._keep(stream=True)
        self._client.end(tail)

    def abort(self) -> None:
        """Cut the connection."""
        self._client.abort()

    def _add(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > MAX_ENTRY_BYTES:
            self._pieces = None
        elif self._pieces is not None:
            self._pieces.append(data)

    def _keep(self, *, stream: bool) -> None:
        x, pieces = self._x, self._pieces
        whole = x.outcome == "completed" and x.error is None and x.clamped_tokens is None
        if pieces is None or not whole or x.basis == "none" or x.key is None or x.client.closed:
            return
        now_s = x.plane.clock.monotonic_s()
        entry = Entry(
            *(x.key, self._model, now_s, self._ttl_s, stream),
            *(b"".join(pieces), x.measured_input, x.measured_output, x.measured_exact),
        )
        x.plane.cache.put(self._digest, entry)
