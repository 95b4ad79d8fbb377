"""The group writer: one thread owns the writing connection and commits whatever has queued.

The event loop hands over items and functions and never waits; the thread takes everything that
queued while its last commit ran, writes it in one transaction, and tells the loop once per batch.
What may wait a little waits for company: it wakes the thread after its patience has ended, unless
something urgent goes before and takes it along.
Nothing is reported durable before its commit returned. When the storage fails the batch is kept,
in order, and tried again with backoff until it is stored: `healthy` is False meanwhile, so that
new paid work can be refused, and True again by itself. What an item is, and how a batch of them
becomes rows, is the caller's: this file knows neither money nor tables.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from gateway.base.errors import StorageUnavailable
from gateway.base.scheduling import give_way

LOG = logging.getLogger("tallygate.store")
T = TypeVar("T")

BATCH_ITEMS = 1_000
FULL_BATCH_ITEMS = 64  # a batch of this size gains no more from waiting (bench_settlement.py)
BACKOFF_FIRST_S = 0.1
BACKOFF_LAST_S = 2.0
RATE_WINDOW_S = 0.02
AWAIT_STEP_S = 0.001  # waiting for more is done in steps of this
IDLE_CHECKPOINT_S = 0.25
CHECKPOINT_ITEMS = 2_000  # items written before an idle moment is used for a checkpoint


class Item(Protocol):
    """What is submitted. `on_durable` runs on the event loop after the commit."""

    def on_durable(self) -> None:
        """Called once, after the item's commit."""
        ...


class Storage(Protocol):
    """What the writer needs from a database: a connection it may lose, and judgement of errors."""

    def connect(self) -> Connection:
        """Open the writing connection."""
        ...

    def reopen(self, old: Connection) -> Connection:
        """Replace a connection that failed and check the store. Raises while it is unsound."""
        ...

    def is_storage_fault(self, error: BaseException) -> bool:
        """Whether the same work may succeed later."""
        ...

    def needs_reopening(self, error: BaseException) -> bool:
        """Whether the connection cannot be trusted any more."""
        ...

    def checkpoint(self, connection: Connection) -> None:
        """Tidy the log of the database; called when the writer is idle."""
        ...


class Flush(Protocol):
    """Writes a batch of items inside the open transaction.

    `failed` is the error of the last try of the same batch, if there was one. A commit that failed
    may have taken effect all the same, so the flush must then find out what is stored already.
    """

    def __call__(
        self, connection: Connection, items: Sequence[Any], failed: Exception | None
    ) -> None:
        """Write the rows; raise to have the transaction rolled back."""
        ...


class _Call:
    """A function that runs in its own transaction, or in none, in its place in the queue."""

    def __init__(
        self,
        fn: Callable[[Connection], Any],
        future: asyncio.Future[Any],
        outside: bool = False,
    ) -> None:
        self.fn = fn
        self.future = future
        self.outside = outside
        self.result: Any = None
        self.error: Exception | None = None

    def on_durable(self) -> None:
        """Resolve the caller's future, unless the caller has gone."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class GroupWriter:
    """Owns the writing connection on one thread. Loop side: `submit`, `write`, `close`."""

    def __init__(self, storage: Storage, name: str = "tallygate-writer") -> None:
        self._storage = storage
        self._flush: Flush | None = None
        self._delay_s = 0.0
        self._queue: deque[Any] = deque()
        self._wake = threading.Lock()  # held while there is nothing to do; released to wake
        self._wake.acquire()
        self._sleeping = False
        self._rousing = False
        self._due = False  # what has queued is to be written without waiting for more
        self._alarm: asyncio.TimerHandle | None = None  # what is patient will be due
        self._alarm_s = 0.0  # when, by the loop's clock
        self._closing = False
        self._abandon = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._since_checkpoint = 0
        self._window_start_s = 0.0
        self._window_items = 0
        self._rate_per_s = 0.0
        self.healthy = True
        self.fault = ""
        self.batches = 0
        self.items = 0
        self._connection = storage.connect()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # --- the loop's side ------------------------------------------------------------------------

    def flush_with(self, flush: Flush, commit_delay_us: int) -> None:
        """Say how items become rows, and how long a busy writer may wait for a fuller batch."""
        self._flush = flush
        self._delay_s = commit_delay_us / 1_000_000

    def submit(self, item: Item, patience_s: float = 0.0) -> None:
        """Queue an item; the caller bounds how many. Call from the event loop only.

        It may wait so long for others to be written with.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        self._queue.append(item)
        if patience_s:
            due_s = loop.time() + patience_s
            if self._alarm is None or due_s < self._alarm_s:
                if self._alarm is not None:
                    self._alarm.cancel()
                self._alarm, self._alarm_s = loop.call_at(due_s, self._ring), due_s
            return
        self._due = True  # before the look: the thread says that it sleeps, and then looks at this
        # Waking the thread within a turn of the loop would let it run before the turn's other
        # reads, on one processor for as long as a commit takes.
        if self._sleeping and not self._rousing:
            self._rousing = True
            loop.call_soon(self._rouse)

    def _ring(self) -> None:
        self._alarm = None
        if self._queue:
            self._rouse()

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in its own transaction, after all that was queued before it.

        Raises what `fn` raises, and StorageUnavailable when the database cannot be written; a
        write that failed so may still have been stored, so retries need an idempotency key.
        """
        return await self._call(fn, False)

    async def outside(self, fn: Callable[[Connection], T]) -> T:
        """`write` for what a transaction cannot hold; `fn` leaves none open."""
        return await self._call(fn, True)

    async def _call(self, fn: Callable[[Connection], T], outside: bool) -> T:
        if self._closing:
            raise StorageUnavailable
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._loop = loop
        self._queue.append(_Call(fn, future, outside))
        self._rouse()
        return await future

    def _rouse(self) -> None:
        self._rousing = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._due = True
        if not self._sleeping:
            return  # it looks at the queue before it sleeps
        self._sleeping = False
        try:
            self._wake.release()
        except RuntimeError:
            return  # already awake: the thread will look at the queue once more than needed

    async def close(self, timeout_s: float = 10.0) -> int:
        """Write all that is queued, then close. Returns how many items had to be left behind."""
        self._closing = True
        self._rouse()
        await asyncio.to_thread(self._thread.join, timeout_s)
        if self._thread.is_alive():  # the storage is failing: stop retrying
            self._abandon.set()
            self._rouse()
            await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # let the last batch's callbacks run
        return len(self._queue)

    # --- the thread's side ----------------------------------------------------------------------

    def _run(self) -> None:
        give_way()
        while True:
            batch = self._take()
            if batch is None or not self._store(batch):
                break
        self._connection.close()

    def _take(self) -> list[Any] | None:
        """The next batch: one call, or items up to the cap. None when closed and empty."""
        queue = self._queue
        while not (queue and (self._due or self._closing)):
            if self._closing:
                return None
            self._wait()
        if isinstance(queue[0], _Call):
            return [queue.popleft()]
        self._due = False
        self._await_more()
        batch: list[Any] = []
        while queue and len(batch) < BATCH_ITEMS and not isinstance(queue[0], _Call):
            batch.append(queue.popleft())
        if queue:
            self._due = True
        self._measure_rate(len(batch))
        return batch

    def _wait(self) -> None:
        """Sleep until something is queued; use a longer idle moment for a checkpoint."""
        self._sleeping = True
        if (self._queue and self._due) or self._closing:  # it came between the look and the flag
            self._sleeping = False
            return
        if self._since_checkpoint < CHECKPOINT_ITEMS:
            self._wake.acquire()
        elif not self._wake.acquire(timeout=IDLE_CHECKPOINT_S):
            self._checkpoint()
        self._sleeping = False

    def _await_more(self) -> None:
        """Wait for a fuller batch, but only if the recent rate says that more will come.

        The idea is PostgreSQL's commit_delay: a lone request commits at once, and none waits
        longer than the delay.
        """
        queue = self._queue
        if self._delay_s <= 0 or self._rate_per_s * self._delay_s < 2:
            return
        queued, deadline_s = 0, time.monotonic() + self._delay_s
        # When a step brings nothing new, those who could send more are waiting for this commit.
        while queued < len(queue) < FULL_BATCH_ITEMS and not self._closing:
            queued = len(queue)
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, AWAIT_STEP_S))

    def _measure_rate(self, taken: int) -> None:
        now_s = time.monotonic()
        elapsed_s = now_s - self._window_start_s
        self._window_items += taken
        if elapsed_s >= RATE_WINDOW_S:
            self._rate_per_s = self._window_items / elapsed_s
            self._window_start_s = now_s
            self._window_items = 0

    def _checkpoint(self) -> None:
        self._since_checkpoint = 0
        try:
            self._storage.checkpoint(self._connection)
        except Exception as error:
            if not self._storage.is_storage_fault(error):
                raise
            LOG.warning("checkpoint_failed", extra={"f": {"error": type(error).__name__}})

    def _store(self, batch: list[Any]) -> bool:
        """Commit a batch, however often it takes; a call is tried once. False: told to give up."""
        delay_s = BACKOFF_FIRST_S
        failed: Exception | None = None
        while True:
            try:
                self._transact(batch, failed)
            except Exception as error:  # noqa: BLE001 - every fault is reported and retried
                if isinstance(batch[0], _Call):
                    self._fail_call(batch[0], error)
                    break
                self._report(error, failed)
                failed = error
            else:
                if not self.healthy:
                    self.healthy, self.fault = True, ""
                    LOG.warning("storage_recovered")
                break
            if self._abandon.wait(delay_s):
                self._queue.extendleft(reversed(batch))
                return False
            delay_s = min(delay_s * 2, BACKOFF_LAST_S)
        self._deliver(batch)
        return True

    def _transact(self, batch: list[Any], failed: Exception | None) -> None:
        connection = self._connection
        if connection.closed or connection.invalidated:
            connection = self._connection = self._storage.reopen(connection)
        head = batch[0]
        try:
            if isinstance(head, _Call) and head.outside:
                head.result = head.fn(connection)
                return
            transaction = connection.begin()
            if isinstance(head, _Call):
                head.result = head.fn(connection)
            else:
                if self._flush is None:
                    raise RuntimeError("items were submitted before flush_with")
                self._flush(connection, batch, failed)
            transaction.commit()
        except Exception as error:
            self._roll_back(connection, error)
            raise
        self.batches += 1
        self.items += len(batch)
        self._since_checkpoint += len(batch)

    def _roll_back(self, connection: Connection, error: Exception) -> None:
        """Undo, and drop a connection that can no longer be trusted (it is reopened later)."""
        broken = self._storage.needs_reopening(error)
        try:
            connection.rollback()
        except Exception:  # noqa: BLE001 - a connection that cannot roll back is replaced
            broken = True
        if broken:
            connection.invalidate()
            connection.close()

    def _fail_call(self, call: _Call, error: Exception) -> None:
        if self._storage.is_storage_fault(error):
            LOG.error("write_refused_by_storage", extra={"f": {"error": type(error).__name__}})
            call.error = StorageUnavailable()
        else:
            call.error = error

    def _report(self, error: Exception, failed: Exception | None) -> None:
        self.healthy = False
        self.fault = type(error).__name__
        if failed is None or not self._storage.is_storage_fault(error):
            LOG.error(
                "storage_failing",
                exc_info=error,
                extra={"f": {"queued": len(self._queue), "error": self.fault}},
            )

    def _deliver(self, batch: list[Any]) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(self._announce, batch)
        except RuntimeError:
            LOG.warning("loop_closed_before_completion", extra={"f": {"items": len(batch)}})

    def _announce(self, batch: list[Any]) -> None:
        """On the loop: tell each item; one that fails does not silence the others."""
        for item in batch:
            try:
                item.on_durable()
            except Exception as error:  # noqa: BLE001 - reported to the loop's handler
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a completion callback failed", "exception": error}
                )
