"""Liveness, readiness and metrics: `/healthz`, `/readyz`, `/metrics`.

`/healthz` says that the event loop turns; `/readyz` whether a paid request would be accepted now;
`/metrics` renders the process's counters in the Prometheus text format. No label but model,
provider, target and status class, and no address, key or account anywhere. Metrics name models
and sums of money, so they are given to loopback and private addresses only, and never through a
proxy.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Iterator
from typing import NamedTuple

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.base.telemetry import LATENCY_BUCKETS_MS, MAX_SERIES, Histogram
from gateway.proxy.exchange import Plane
from gateway.proxy.routing.health import STATES

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LABELS = ("model", "provider", "status")
_BOUNDS = (*(str(bound / 1000) for bound in LATENCY_BUCKETS_MS), "+Inf")


class _Timing(NamedTuple):
    """A histogram as it stood: cumulative buckets in Prometheus' form, and the sum in seconds."""

    buckets: list[tuple[str, float]]
    sum_s: float


class _Row(NamedTuple):
    """One series as it stood."""

    labels: tuple[str, str, str]
    requests: int
    duration: _Timing
    first_token: _Timing
    input_tokens: int
    output_tokens: int
    cost_microusd: int


def _timing(histogram: Histogram) -> _Timing:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, number in zip(_BOUNDS, histogram.buckets, strict=True):
        total += number
        buckets.append((bound, total))
    return _Timing(buckets, histogram.sum_ms / 1000)


class _Snapshot(Collector):
    """Everything `/metrics` shows, copied on the loop so that another thread may render it."""

    def __init__(self, plane: Plane) -> None:
        metrics = plane.metrics
        self._rows = [
            _Row(
                labels,
                series.duration.count,
                _timing(series.duration),
                _timing(series.first_token),
                series.input_tokens,
                series.output_tokens,
                series.cost_microusd,
            )
            for labels, series in metrics.requests.items()
        ]
        self._counters = dict(metrics.counters)
        holds = [x.hold for x in plane.active if x.hold is not None]
        self._gauges = {
            "active_requests": ("Requests being served.", len(plane.active)),
            "upstream_connections": (
                "Connections to providers, idle ones included.",
                plane.pool.open_connections(),
            ),
            "pending_settlements": (
                "Charges waiting to become durable.",
                plane.settlements.pending,
            ),
            "holds_microusd": (
                "Credit held for running requests, in micro-dollars.",
                sum(hold.amount_microusd for hold in holds),
            ),
        }
        self._targets = plane.router.report()[:MAX_SERIES]
        for name, value in metrics.gauges.items():
            read = value() if callable(value) else value
            self._gauges[name] = (name.replace("_", " ").capitalize() + ".", read)

    def collect(self) -> Iterator[Metric]:
        """The families, in a fixed order."""
        yield from self._timings()
        sums: tuple[tuple[str, str, Callable[[_Row], int]], ...] = (
            ("requests", "Requests by outcome.", lambda row: row.requests),
            ("input_tokens", "Prompt tokens billed.", lambda row: row.input_tokens),
            ("output_tokens", "Output tokens billed.", lambda row: row.output_tokens),
            ("cost_microusd", "Charged to customers.", lambda row: row.cost_microusd),
        )
        for name, help_text, value in sums:
            family = CounterMetricFamily(f"tallygate_{name}", help_text, labels=_LABELS)
            for row in self._rows:
                family.add_metric(row.labels, value(row))
            yield family
        for name, number in self._counters.items():
            text = name.replace("_", " ").capitalize() + "."
            yield CounterMetricFamily(f"tallygate_{name}", text, value=number)
        for name, (text, number) in self._gauges.items():
            yield GaugeMetricFamily(f"tallygate_{name}", text, value=number)

        yield from self._of_targets()

    def _of_targets(self) -> Iterator[Metric]:
        labels = ("provider", "target")
        state = GaugeMetricFamily(
            "tallygate_target_state", "Breaker: 0 closed, 1 half-open, 2 open.", labels=labels
        )
        running = GaugeMetricFamily("tallygate_target_running", "Attempts running.", labels=labels)
        aside = GaugeMetricFamily(
            "tallygate_provider_keys_set_aside", "Keys that rest.", labels=labels[:1]
        )
        sums = {
            key: CounterMetricFamily(f"tallygate_target_{key}", text, labels=labels)
            for key, text in (
                ("requests", "First attempts."),
                ("retries", "Further attempts."),
                ("failures", "Attempts that tell against the target."),
            )
        }
        keys: dict[str, int] = {}
        for row in self._targets:
            names = (row["provider"], row["model"])
            state.add_metric(names, STATES.index(row["state"]))
            running.add_metric(names, row["in_flight"])
            for key, family in sums.items():
                family.add_metric(names, row[key])
            keys[row["provider"]] = sum(each != "ok" for each in row["keys"])
        for provider, number in keys.items():
            aside.add_metric((provider,), number)
        yield from (state, running, aside, *sums.values())

    def _timings(self) -> Iterator[Metric]:
        duration = HistogramMetricFamily(
            "tallygate_request_duration_seconds", "From request to its end.", labels=_LABELS
        )
        first = HistogramMetricFamily(
            "tallygate_first_token_seconds", "From request to the first token.", labels=_LABELS
        )
        for row in self._rows:
            duration.add_metric(row.labels, row.duration.buckets, row.duration.sum_s)
            first.add_metric(row.labels, row.first_token.buckets, row.first_token.sum_s)
        yield duration
        yield first


class Health:
    """The three handlers over one data plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._process: Collector = ProcessCollector(registry=None)

    def routes(self) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            web.get("/healthz", self.alive),
            web.get("/readyz", self.ready),
            web.get("/metrics", self.metrics),
        ]

    async def alive(self, request: web.Request) -> web.Response:
        """The process answers."""
        return web.Response(text="ok\n")

    async def ready(self, request: web.Request) -> web.Response:
        """200 when a paid request would be accepted, 503 with the reason when not."""
        plane = self._plane
        state = {
            "database": plane.settlements.healthy,
            "accepting": plane.settlements.accepting and not plane.short_of_memory,
            "stopping": plane.stopping,
        }
        ready = state["database"] and state["accepting"] and not state["stopping"]
        headers = {} if ready else {"Retry-After": "2"}
        return web.json_response(
            {"ready": ready, **state}, status=200 if ready else 503, headers=headers
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus text; rendered off the loop, for it may be megabytes."""
        if not is_internal(request):
            raise web.HTTPNotFound
        registry = CollectorRegistry()
        registry.register(self._process)
        registry.register(_Snapshot(self._plane))
        body = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=body, headers={"Content-Type": METRICS_TYPE})


def is_internal(request: web.Request) -> bool:
    """Whether the peer is this machine or a private network, and speaks for nobody else."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        address = ipaddress.ip_address((request.remote or "").partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_private
