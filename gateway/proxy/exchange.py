"""The exchange: everything one request knows about itself, from its first byte to its charge.

One object with slots per request; phases read and write its fields in the order of `pipeline`.
`Client` is what the data plane asks of a door, `Plane` what it asks of the rooms below. Nothing
here decides anything.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from gateway._native.jsonscan import BodyMeter, RequestScan, scan_request
from gateway._native.sse import StreamMeter
from gateway.base.clock import Clock
from gateway.base.config import Settings
from gateway.base.errors import GatewayError
from gateway.base.ids import IdFactory
from gateway.base.telemetry import Metrics
from gateway.platform.catalog import Catalog, Model, Target
from gateway.platform.keys import Key, KeyRing
from gateway.platform.ledger.holds import Bank, Charge, Hold
from gateway.platform.limits.limiter import Grant, Limiter
from gateway.platform.metering.usage import Basis, Usage
from gateway.platform.request_log.record import Attempt as AttemptMade
from gateway.platform.settlement import Settlements
from gateway.proxy.cache_store import ResponseCache
from gateway.proxy.dialects.endpoints import Endpoint
from gateway.proxy.dialects.neutral import Conversation
from gateway.proxy.drive import Drive
from gateway.proxy.routing.hedge import Race
from gateway.proxy.routing.retry import RetryLimits
from gateway.proxy.routing.router import Candidate, Router, Step

NO_SCAN = scan_request(b"")  # what an exchange has before its body is accepted


class Client(Protocol):
    """The waiting end of a request, as a door offers it. Calls after a close do nothing."""

    closed: bool
    task: Drive | None  # what serves the exchange

    def respond(self, status: int, headers: bytes, body: bytes | list[bytes]) -> None:
        """A whole response in one write. `headers` are complete lines, each ending in CRLF."""
        ...

    def start(self, status: int, headers: bytes) -> None:
        """The head of a streamed response."""
        ...

    def send(self, data: bytes) -> None:
        """Some body bytes of a started response, written at once."""
        ...

    def chunks(self) -> Callable[[bytes], None] | None:
        """What takes body bytes framed as chunks already; None where the answer is not chunked."""
        ...

    def end(self, tail: bytes) -> None:
        """The last body bytes and the end of a started response."""
        ...

    def abort(self) -> None:
        """Cut the connection: the response cannot end properly."""
        ...


class Limits(NamedTuple):
    """The settings that requests meet, read once: times in seconds, sizes in bytes."""

    durable: bool
    attempts: int
    retry: RetryLimits
    output_reserve_tokens: int
    max_response_bytes: int
    max_event_bytes: int
    first_byte_timeout_s: float
    first_token_timeout_s: float
    keepalive_s: float
    idle_timeout_s: float
    total_timeout_s: float
    drain_timeout_s: float
    drain_streams: int


def limits_of(settings: Settings) -> Limits:
    """Read the limits from the settings."""
    return Limits(
        durable=settings.ledger_durability == "full",
        attempts=settings.upstream_attempts,
        retry=RetryLimits(
            settings.upstream_attempts,
            settings.upstream_retry_budget_s,
            settings.upstream_key_retry_s,
        ),
        output_reserve_tokens=settings.ledger_output_reserve_tokens,
        max_response_bytes=settings.upstream_max_response_bytes,
        max_event_bytes=settings.upstream_max_event_bytes,
        first_byte_timeout_s=settings.upstream_first_byte_timeout_s,
        first_token_timeout_s=settings.upstream_first_token_timeout_s,
        keepalive_s=settings.server_stream_keepalive_s or math.inf,
        idle_timeout_s=settings.upstream_idle_timeout_s,
        total_timeout_s=settings.upstream_total_timeout_s,
        drain_timeout_s=settings.upstream_drain_timeout_s,
        drain_streams=settings.upstream_drain_streams,
    )


class Plane:
    """The rooms a request passes through; built once by the composition root."""

    __slots__ = (
        "active",
        "attempts",
        "bank",
        "cache",
        "catalog",
        "clock",
        "draining",
        "ids",
        "keys",
        "limiter",
        "limits",
        "log_requests",
        "loop",
        "metrics",
        "origin",
        "pool",
        "pseudonym",
        "router",
        "settings",
        "settlements",
        "stopping",
        "upstreams",
    )

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        ids: IdFactory,
        keys: KeyRing,
        catalog: Catalog,
        bank: Bank,
        limiter: Limiter,
        settlements: Settlements,
        metrics: Metrics,
        pool: Any,
        upstreams: Any,
        router: Router,
        pseudonym: Callable[[str, str], str],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.settings = settings
        self.limits = limits_of(settings)
        self.log_requests: bool = settings.log_requests
        self.clock = clock
        self.ids = ids
        self.keys = keys
        self.catalog = catalog
        self.bank = bank
        self.limiter = limiter
        self.cache = ResponseCache(
            settings.cache_max_bytes, settings.cache_max_entries, settings.cache_max_ttl_s
        )
        self.settlements = settlements
        self.metrics = metrics
        self.pool = pool
        self.upstreams = upstreams
        self.router = router
        self.pseudonym = pseudonym
        self.loop = loop
        # Where a request came from, as the door knows; asked only for keys bound to addresses.
        self.origin: Callable[[Exchange], str] = lambda _: ""
        self.active: set[Exchange] = set()
        self.attempts: set[Any] = set()
        self.draining = 0
        self.stopping = False


class Metering(NamedTuple):
    """What the forward phase asks of the meter phase; `pipeline` brings the two together."""

    stream: Callable[["Exchange"], StreamMeter]
    body: Callable[["Exchange"], BodyMeter]
    grow: Callable[["Exchange", StreamMeter], int]
    conclude: Callable[["Exchange", StreamMeter | BodyMeter | None], None]


NO_FILES = (0, 0, 0)


class Exchange(msgspec.Struct, eq=False):
    """One request. Times are seconds of the monotonic clock unless the name says otherwise.

    `headers` are the client's, lower-case and only those the gateway acts on; `authorization` is
    its credential in the form of that header, wherever it stood. `endpoint` is what the client
    speaks, `wire` what is spoken to the present target.

    A msgspec Struct, because fifty defaults set one by one cost more than the rest of a request's
    start; it is never encoded.
    """

    plane: Plane
    client: Client
    endpoint: Endpoint
    body: bytes
    authorization: str
    headers: Mapping[bytes, bytes]
    wire: Endpoint
    id: str
    started_s: float
    started_us: int
    conversation: Conversation | None = None  # the request, once it was translated
    # accept
    scan: RequestScan = NO_SCAN
    model_name: str = ""
    stream: bool = False
    usage_asked: bool = False
    max_tokens: int | None = None
    choices: int = 1
    media: Any = None  # what a media endpoint was asked for
    # authenticate, admit, route
    key: Key | None = None
    model: Model | None = None  # in the end the one that served
    fallback_names: tuple[str, ...] = ()  # asked for by the client
    fallbacks: tuple[Model, ...] = ()
    price: Any = None
    grant: Grant | None = None  # where account or key have limits
    longest_output: int = 0  # tokens, of whichever model may serve
    hold: Hold | None = None
    input_picousd: int = 0  # the prompt's cost, the fee included
    output_picousd: int = 0  # of a token, reasoning or not, whichever is dearer
    clamped_tokens: int | None = None
    candidates: tuple[Candidate, ...] = ()
    # forward, meter
    step: Step | None = None
    race: Race | None = None  # where two attempts run side by side
    target: Target | None = None
    attempt: Any = None
    attempts: int = 0
    trail: tuple[AttemptMade, ...] = ()  # those that failed and were followed by another
    first_token_s: float | None = None
    measured_input: int = 0
    measured_output: int = 0
    measured_exact: bool = False
    files: tuple[int, int, int] = NO_FILES  # tokens of documents, pictures, sound, at most
    reported_input: int | None = None
    reported_output: int | None = None
    usage: Usage = Usage()
    basis: Basis = "none"
    # settle, record, refuse
    lines: bytes = b""  # header lines that any answer carries besides its own
    answered: bool = False  # the response's head has gone to the client
    shown: bool = False  # so has some of the provider's answer: no other attempt can follow
    silent_s: float | None = None  # the loop's time since when the client heard nothing
    tail: Callable[[], None] | None = None  # releases the end of the response
    charge: Charge | None = None
    status: int = 0
    outcome: str = "refused"
    error: GatewayError | None = None

    def client_gone(self) -> None:
        """The door's word that the client has left; the running attempt follows its policy."""
        if self.race is not None:
            self.race.client_gone()
        elif self.attempt is not None:
            self.attempt.client_gone()

    def pause(self) -> None:
        """The client reads slower than the upstream writes: stop reading upstream."""
        if self.attempt is not None:
            self.attempt.pause()

    def resume(self) -> None:
        """The client has caught up."""
        if self.attempt is not None:
            self.attempt.resume()


def new_exchange(
    plane: Plane,
    client: Client,
    endpoint: Endpoint,
    body: bytes,
    authorization: str,
    headers: Mapping[bytes, bytes],
) -> Exchange:
    """The exchange of a request that has just come."""
    clock = plane.clock
    return Exchange(
        plane, client, endpoint, body, authorization, headers,
        endpoint, plane.ids.make("req"), clock.monotonic_s(), clock.now_us(),
    )  # fmt: skip
