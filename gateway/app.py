"""The composition root: opens the platform, builds the data plane, hands both to the doors.

Nothing below imports this file. `run` is what `tallygate serve` calls: it owns the event loop, the
signals and the order of starting and stopping.
"""

import asyncio
import contextlib
import gc
import logging
import os
import random
import re
import resource
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import aiohttp
import uvloop
from aiohttp import http_parser

from gateway.base.config import Settings
from gateway.base.errors import StorageUnavailable
from gateway.base.scheduling import come_next
from gateway.base.telemetry import Metrics, start_logging
from gateway.platform.assembly import FirstStart, Platform, open_platform
from gateway.platform.mail import SmtpServer
from gateway.proxy.exchange import Plane
from gateway.proxy.probe import probe
from gateway.proxy.providers.kinds import HTTP_KINDS
from gateway.proxy.providers.registry import Upstreams
from gateway.proxy.providers.sandbox import SandboxUpstream
from gateway.proxy.routing.checks import HealthChecks
from gateway.proxy.routing.health import BreakerLimits
from gateway.proxy.routing.router import Router
from gateway.proxy.upstream.pool import Pool, PoolLimits
from gateway.web.admin.socket import AdminSocket
from gateway.web.beginning import MAX_LINE_BYTES
from gateway.web.client_address import parse_networks
from gateway.web.connection import LINGER_S
from gateway.web.console.application import build_app
from gateway.web.console.letters import Letters
from gateway.web.console.operator import operator_of
from gateway.web.hosts import base_url
from gateway.web.security import Discreet
from gateway.web.server import Server
from gateway.web.sightings import Sightings
from gateway.workers import JOBS, Job, Workers

# Requests leave no cycles behind; scanning the young for them at every 700th would be for nothing.
GC_THRESHOLD = 20_000

FIRST_INHERITED = 3  # SD_LISTEN_FDS_START

AIOHTTP_FLOOR = (3, 14, 4)  # advisories until then; its parser in Python had more of them

MAIL_INTERVAL_S = 1

HEALTH_INTERVAL_S = 1.0  # the finest a provider's own interval can be

Started = Callable[[str, int, FirstStart | None], None]


def build_plane(platform: Platform, loop: asyncio.AbstractEventLoop) -> Plane:
    """The data plane over a platform's rooms."""
    settings = platform.settings
    pool = Pool(
        loop,
        PoolLimits(
            settings.upstream_connect_timeout_s,
            settings.upstream_keepalive_timeout_s,
            settings.upstream_max_connections,
        ),
    )
    upstreams = Upstreams(
        {kind: partial(upstream, pool=pool) for kind, upstream in HTTP_KINDS.items()}
        | {"sandbox": lambda provider: SandboxUpstream(provider, loop)}
    )
    return Plane(
        settings=settings,
        clock=platform.clock,
        ids=platform.ids,
        keys=platform.keys.ring,
        catalog=platform.catalog,
        bank=platform.bank,
        limiter=platform.tiers.limiter,
        settlements=platform.settlements,
        metrics=Metrics(),
        pool=pool,
        upstreams=upstreams,
        router=Router(
            platform.catalog,
            BreakerLimits(
                settings.upstream_breaker_failures,
                settings.upstream_breaker_ratio_percent,
                settings.upstream_breaker_open_s,
            ),
            now_s=platform.clock.monotonic_s,
            random=random.random,
        ),
        pseudonym=platform.secrets.pseudonym,
        loop=loop,
    )


class Gateway:
    """A running gateway: platform, data plane, public port, console, admin socket, workers."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.loop = asyncio.get_running_loop()
        self.plane = build_plane(platform, self.loop)
        self.port = 0

    async def start(self, host: str, port: int, bound: socket.socket | None = None) -> None:
        """Open the doors, on a bound socket if there is one. Raises OSError."""
        from aiohttp import web

        self._runner = web.AppRunner(
            build_app(self.platform, self.plane),
            access_log=None,
            keepalive_timeout=self.plane.settings.server_keepalive_timeout_s,
            lingering_time=LINGER_S,
            max_line_size=2 * MAX_LINE_BYTES,
            logger=console_log(),
        )
        await self._runner.setup()
        console = self._runner.server
        if console is None:
            raise RuntimeError("the console's server was not built")
        self.server = Server(self.plane, console)
        watch_keys(self.platform, self.plane)
        self.plane.carrier.start()
        self.port = await self.server.listen(host, port, bound)
        self.platform.live["providers.health"] = self.plane.router.report
        self.platform.live["providers.test"] = partial(partial, probe, self.plane)
        self._admin = AdminSocket(self.platform)
        await self._admin.start()
        public_url = self.platform.settings.server_public_url or base_url(host, self.port)
        self._workers = Workers(
            self.platform,
            self.plane.metrics,
            (*JOBS, mail_job(self.platform, public_url), health_job(self.plane)),
        )
        self._workers.start()

    async def stop(self, timeout_s: float) -> None:
        """Close the doors in order; every charge is durable when this returns."""
        await self.server.stop(timeout_s)
        self.plane.carrier.stop()
        await self._workers.stop()
        await self._admin.stop()
        await self._runner.cleanup()
        with contextlib.suppress(StorageUnavailable):  # logged where it was raised
            await self.platform.tiers.save()
        await self.platform.close()


def watch_keys(platform: Platform, plane: Plane) -> None:
    """Count the networks that use each key, unless the operator wants none of it."""
    if platform.settings.keys_spread_networks > 0:
        trusted = parse_networks(platform.settings.server_trusted_proxies)
        plane.place = Sightings(platform.spread, trusted, platform.reviews.suspect).place


def console_log() -> logging.Logger:
    """Where aiohttp's server says what went wrong."""
    log = logging.getLogger("tallygate.web.console")
    if not log.filters:
        log.addFilter(Discreet())
    return log


def mail_job(platform: Platform, public_url: str) -> Job:
    """What sends letters, with links to this gateway's own address."""
    letters, server = (
        Letters(public_url, operator_of(platform.settings)),
        SmtpServer(platform.settings),
    )
    send = server.send if server.configured else None

    async def deliver(platform: Platform, _: Metrics) -> None:
        while await platform.people.mail.deliver(letters.write, send):
            pass

    return Job("mail", MAIL_INTERVAL_S, deliver, lambda platform: platform.people.mail.may_be_due)


def health_job(plane: Plane) -> Job:
    """What asks providers that are to be asked without a request."""
    checks = HealthChecks(plane.router, plane.pool)

    async def check(_: Platform, __: Metrics) -> None:
        await checks.tick()

    def asked_for(platform: Platform) -> bool:
        providers = platform.catalog.snapshot.providers.values()
        return any(provider.health_interval_s is not None for provider in providers)

    return Job("health", HEALTH_INTERVAL_S, check, asked_for)


async def _serve(
    settings: Settings, data_dir: Path, catalog_file: Path | None, started: Started
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            loop.add_signal_handler(number, stop.set)
    platform = await open_platform(settings, data_dir)
    try:
        if catalog_file is not None:
            await platform.catalog.apply_file(catalog_file)
        gateway = Gateway(platform)
        await platform.catalog.preload()
        await gateway.start(settings.server_host, settings.server_port, inherited_socket())
    except BaseException:
        await platform.close()
        raise
    gc.freeze()  # what start-up built lives as long as the process: never scan it
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    gc.enable()
    started(settings.server_host, gateway.port, platform.first_start)
    await platform.first_start_shown()
    await asyncio.to_thread(gateway.plane.pool.prepare_tls)
    await stop.wait()
    await gateway.stop(settings.server_shutdown_timeout_s)


def unsafe_server() -> str:
    """Why this aiohttp must not serve: too old, or without the parser that is compiled; or ""."""
    number = tuple(int(part) for part in re.findall(r"\d+", aiohttp.__version__)[:3])
    if number < AIOHTTP_FLOOR:
        floor = ".".join(map(str, AIOHTTP_FLOOR))
        return f"aiohttp {aiohttp.__version__} is too old; install {floor} or newer"
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        return "aiohttp runs without its compiled parser; reinstall it, unset AIOHTTP_NO_EXTENSIONS"
    return ""


def inherited_socket() -> socket.socket | None:
    """A listening socket of a supervisor, which outlives this process: sd_listen_fds(3).

    What connects between two processes waits in it, so that a restart refuses nobody.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=FIRST_INHERITED)


def prepare_process() -> None:
    """As many connections as the system grants; and no core dump, which would hold prompts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS grants less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(settings: Settings, data_dir: Path, catalog_file: Path | None, started: Started) -> None:
    """Serve until a signal says to stop. `started(host, port, first_start)` is called once open."""
    prepare_process()
    listener = start_logging(settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            come_next()
            runner.run(_serve(settings, data_dir, catalog_file, started))
    finally:
        listener.stop()
