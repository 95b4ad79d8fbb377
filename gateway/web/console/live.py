"""Live: a page learns, about once a second, that something of its account has changed.

One loop for all watchers, which runs only while there is one. It compares what memory knows
(running requests, balance) and asks the database one question for all watched accounts together.
An event says only that, and the newest row's number; the page fetches itself again. Bounded:
MOST streams, FEW of one account, each for LIFETIME_S, after which the browser asks again. A stream
ends with its session.
"""

import asyncio
import contextlib
import logging
from typing import Final, NamedTuple

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from gateway.base.errors import StorageUnavailable
from gateway.platform.accounts.alive import alive
from gateway.platform.accounts.roles import OWN_READ
from gateway.platform.assembly import Platform
from gateway.platform.organisations import Desk, desk_of
from gateway.platform.request_log.search import newest_seq
from gateway.web.console.running import Running
from gateway.web.console.signed_in import desk
from gateway.web.guard import SESSION, Guard

INTERVAL_S: Final = 1.0
KEEPALIVE_S: Final = 15.0
LIFETIME_S: Final = 600.0
MOST: Final = 1_000
FEW: Final = 4  # a browser holds six connections to one place, and has to fetch pages too

log = logging.getLogger("tallygate.live")
_encode = msgspec.json.Encoder().encode


class State(NamedTuple):
    """What an event tells of an account. `running` changes with every request's beginning too."""

    running: int
    newest_seq: int
    balance_microusd: int
    held_microusd: int


class _Watcher:
    """One open stream; `news` holds the newest state alone, so nothing queues up."""

    __slots__ = ("account_no", "desk", "ended", "news", "session_id", "told", "wake")

    def __init__(self, desk: Desk, session_id: str) -> None:
        self.desk = desk
        self.account_no = desk.account.no
        self.session_id = session_id
        self.news: State | None = None
        self.told: State | None = None
        self.ended = False
        self.wake = asyncio.Event()

    def tell(self, state: State) -> None:
        """Hand over a state that differs from the one told last."""
        if state != self.told:
            self.news = state
            self.wake.set()

    def end(self) -> None:
        """Let the stream end."""
        self.ended = True
        self.wake.set()


class Live:
    """The streams and the loop that feeds them."""

    def __init__(self, platform: Platform, running: Running) -> None:
        self._platform = platform
        self._running = running
        self._watchers: set[_Watcher] = set()
        self._loop: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._watchers)

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [guard.get("/console/events", OWN_READ, self.stream)]

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events (WHATWG HTML, 9.2) until something ends them."""
        at, session = desk(request), request[SESSION]
        mine = sum(1 for each in self._watchers if each.desk.person is at.person)
        if session is None or mine >= FEW or len(self._watchers) >= MOST:
            raise web.HTTPTooManyRequests
        watcher = _Watcher(at, session.id)
        self._watchers.add(watcher)
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())
        try:
            response = web.StreamResponse(
                headers={
                    "Content-Type": "text/event-stream; charset=utf-8",
                    "Cache-Control": "no-store",
                    "X-Accel-Buffering": "no",
                    "X-Content-Type-Options": "nosniff",
                }
            )
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):  # whoever watched has left
                await self._feed(response, watcher)
        finally:
            self._watchers.discard(watcher)
        return response

    async def _feed(self, response: web.StreamResponse, watcher: _Watcher) -> None:
        end_s = asyncio.get_running_loop().time() + LIFETIME_S
        await response.write(b"retry: 3000\n\n")
        while not watcher.ended and asyncio.get_running_loop().time() < end_s:
            try:
                async with asyncio.timeout(KEEPALIVE_S):
                    await watcher.wake.wait()
            except TimeoutError:
                await response.write(b":\n\n")
                continue
            watcher.wake.clear()
            news, watcher.news = watcher.news, None
            if news is not None:
                watcher.told = news
                await response.write(b"data: %b\n\n" % _encode(news._asdict()))

    async def _run(self) -> None:
        """Look once an interval, as long as anybody watches and the gateway does not stop."""
        try:
            while self._watchers and not self._running.stopping:
                try:
                    await self._look()
                except StorageUnavailable:
                    log.warning("live pages wait for the storage")
                await asyncio.sleep(INTERVAL_S)
        finally:
            self._loop = None
            for watcher in self._watchers:
                watcher.end()

    async def _look(self) -> None:
        accounts = {watcher.account_no for watcher in self._watchers}
        sessions = {watcher.session_id for watcher in self._watchers}
        now_us = self._platform.clock.now_us()

        def read(connection: Connection) -> tuple[dict[int, int], set[str]]:
            newest = {no: newest_seq(connection, no) for no in accounts}
            return newest, alive(connection, sessions, now_us)

        newest, living = await self._platform.database.read(read)
        counts, bank = self._running.counts(), self._platform.bank
        for watcher in self._watchers:
            no, at = watcher.account_no, watcher.desk
            if watcher.session_id not in living or desk_of(at.person, at.organisation) != at:
                watcher.end()  # or the part in an organisation is another now
            elif no in newest:
                wallet = bank.wallets.get(no)
                held = wallet.held_microusd if wallet is not None else 0
                balance = self._platform.ledger.balance(no)
                if at.key_nos is None:
                    watcher.tell(State(counts.get(no, 0), newest[no], balance, held))
                else:  # how much others ask is not for every member
                    own = len(self._running.of(no, at.key_nos))
                    watcher.tell(State(own, 0, balance, 0))
