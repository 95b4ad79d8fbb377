"""The exchange: everything one request knows about itself, from its first byte to its charge.

One object with slots per request; phases read and write its fields in the order of `pipeline`.
`Client` is what the data plane asks of a door, `Plane` what it asks of the rooms below. Nothing
here decides anything.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from gateway._native.jsonscan import BodyMeter, RequestScan, scan_request
from gateway._native.sse import StreamMeter
from gateway.base.clock import Clock
from gateway.base.config import Settings
from gateway.base.errors import GatewayError
from gateway.base.ids import IdFactory
from gateway.base.telemetry import Metrics
from gateway.platform.catalog import Catalog, Model, Target
from gateway.platform.keys.ring import Key, KeyRing, Recall
from gateway.platform.ledger.holds import Bank, Charge, Hold
from gateway.platform.limits.limiter import Grant, Limiter
from gateway.platform.metering.usage import Basis, Usage
from gateway.platform.request_log.applications import Applications
from gateway.platform.request_log.record import Attempt as AttemptMade
from gateway.platform.settlement import Settlements
from gateway.proxy.cache_store import ResponseCache
from gateway.proxy.dialects.endpoints import Endpoint
from gateway.proxy.dialects.neutral import Conversation
from gateway.proxy.drive import Drive
from gateway.proxy.routing.hedge import Race
from gateway.proxy.routing.retry import RetryLimits
from gateway.proxy.routing.router import Candidate, Router, Step
from gateway.proxy.upstream.carrier import Carrier

NO_SCAN = scan_request(b"")  # what an exchange has before its body is accepted
NO_USAGE = Usage()
HOPS = b"x-forwarded-for"  # the header in which proxies say whom they ask for


class Client(Protocol):
    """The waiting end of a request, as a door offers it. Calls after a close do nothing."""

    closed: bool
    task: Drive | None  # what serves the exchange

    def respond(self, status: int, headers: bytes, body: bytes | list[bytes]) -> None:
        """A whole response in one write. `headers` are complete lines, each ending in CRLF."""
        ...

    def start(self, status: int, headers: bytes) -> None:
        """The head of a streamed response; it may wait for the first `send`."""
        ...

    def send(self, data: bytes) -> None:
        """Some body bytes of a started response, written at once; none: only what waits."""
        ...

    def chunks(self) -> asyncio.Transport | None:
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
    stream_commit_delay_s: float
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
        stream_commit_delay_s=settings.ledger_stream_commit_delay_us / 1_000_000,
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
        self.applications = Applications() if settings.log_applications else None
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
        # Told of the use of a key that its connection has not told of; counts where it is from.
        self.place: Callable[[Exchange], None] = lambda _: None
        self.active: set[Exchange] = set()
        self.attempts: set[Any] = set()
        self.carrier = Carrier(loop)
        self.draining = 0
        self.stopping = False
        self.short_of_memory = False  # the door's to say, and to refuse for


class Metering(NamedTuple):
    """What the forward phase asks of the meter phase; `pipeline` brings the two together."""

    stream: Callable[["Exchange"], StreamMeter]
    body: Callable[["Exchange"], BodyMeter]
    grow: Callable[["Exchange", StreamMeter], int]
    grow_ahead: Callable[["Exchange", int], int]
    conclude: Callable[["Exchange", StreamMeter | BodyMeter | None], None]


NO_FILES = (0, 0, 0)


class Exchange:
    """One request. Times are seconds of the monotonic clock unless the name says otherwise.

    `headers` are the client's, lower-case and only those the gateway acts on; `authorization` is
    its credential in the form of that header, wherever it stood. `endpoint` is what the client
    speaks, `wire` what is spoken to the present target.
    """

    def __init__(
        self,
        plane: Plane,
        client: Client,
        endpoint: Endpoint,
        body: bytes,
        authorization: str,
        headers: Mapping[bytes, bytes],
    ) -> None:
        self.plane = plane
        self.client = client
        self.endpoint = self.wire = endpoint
        self.body = body
        self.authorization = authorization
        self.headers = headers
        self.id = plane.ids.make("req")
        self.started_s: float = plane.clock.monotonic_s()
        self.started_us: int = plane.clock.now_us()
        self.conversation: Conversation | None = None  # the request, once it was translated
        # accept
        self.scan: RequestScan = NO_SCAN
        self.model_name: str = ""
        self.stream: bool = False
        self.usage_asked: bool = False
        self.max_tokens: int | None = None
        self.choices: int = 1
        self.media: Any = None  # what a media endpoint was asked for
        # authenticate, admit, route
        self.recall: Recall | None = None  # what the connection showed before, where it keeps it
        self.key: Key | None = None
        self.model: Model | None = None  # in the end the one that served
        self.fallback_names: tuple[str, ...] = ()  # asked for by the client
        self.fallbacks: tuple[Model, ...] = ()
        self.price: Any = None
        self.grant: Grant | None = None  # where account or key have limits
        self.longest_output: int = 0  # tokens, of whichever model may serve
        self.hold: Hold | None = None
        self.input_picousd: int = 0  # the prompt's cost, the fee included
        self.output_picousd: int = 0  # of a token, reasoning or not, whichever is dearer
        self.clamped_tokens: int | None = None
        self.candidates: tuple[Candidate, ...] = ()
        self._begin_answer()

    def _begin_answer(self) -> None:
        # forward, meter
        self.step: Step | None = None
        self.race: Race | None = None  # where two attempts run side by side
        self.target: Target | None = None
        self.attempt: Any = None
        self.attempts: int = 0
        self.trail: tuple[AttemptMade, ...] = ()  # those that failed and were followed by another
        self.first_token_s: float | None = None
        self.measured_input: int = 0
        self.measured_output: int = 0
        self.measured_exact: bool = False
        self.files = NO_FILES  # tokens of documents, pictures, sound, at most
        self.reported_input: int | None = None
        self.reported_output: int | None = None
        self.usage: Usage = NO_USAGE
        self.basis: Basis = "none"
        # settle, record, refuse
        self.lines: bytes = b""  # header lines that any answer carries besides its own
        self.answered: bool = False  # the response's head has gone to the client
        self.shown: bool = False  # so has some of the answer: no other attempt can follow
        self.silent_s: float | None = None  # the loop's time since when the client heard nothing
        self.tail: Callable[[], None] | None = None  # releases the end of the response
        self.charge: Charge | None = None
        self.status: int = 0
        self.outcome: str = "refused"
        self.error: GatewayError | None = None

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
