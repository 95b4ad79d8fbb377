"""Passwords: bcrypt over a keyed SHA-256 digest, in threads of their own.

A hash takes about a quarter of a second of a core on purpose, so there are few threads, and a
bounded number of callers wait for them, for a bounded time: a flood of sign-ins is refused before
it slows the data plane. The work itself is done apart (`base.apart`), in a child for each thread
that runs when nothing else wants the core; a thread could not be of such low priority, because it
needs the interpreter's lock at both ends of a hash, and may have to wait there for the core with
the lock in its hands. A child sees digests, never a password. A password that belongs to nobody
costs the same work.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

import bcrypt

from gateway.base.apart import Apart, NotApart
from gateway.base.errors import Overloaded
from gateway.base.scheduling import give_way
from gateway.platform.refusals import Problem
from gateway.store.secrets import Secrets

T = TypeVar("T")
MOST_THREADS = 4
MAX_WAITING = 16  # for each thread: the last of them waits about five seconds
PATIENCE_S = 10.0  # how long a hash may wait to begin
APART_COST = 11  # a hash of less (tests) is done before a child would have started
APART_S = 30.0  # for a hash, on a core that others keep busy
MIN_CHARACTERS = 8  # NIST SP 800-63B 5.1.1.2
MAX_CHARACTERS = 256
RETRY_S = 5


class Passwords:
    """Makes and checks hashes; `cost` is bcrypt's (2^cost rounds).

    More callers than `most_waiting` are refused at once.
    """

    def __init__(self, secrets: Secrets, cost: int) -> None:
        self.cost = cost
        self._secrets = secrets
        self._waiting = 0
        threads = thread_count()
        self.most_waiting = threads * MAX_WAITING
        self._threads = ThreadPoolExecutor(
            threads, thread_name_prefix="tallygate-password", initializer=give_way
        )
        self._aparts: SimpleQueue[Apart] = SimpleQueue()  # one for each thread that runs
        for _ in range(threads):
            self._aparts.put(Apart("password", idle=True, patient=True, timeout_s=APART_S))

    def check_room(self) -> None:
        """Refuse somebody before anything is done for them. Raises Overloaded."""
        if self._waiting >= self.most_waiting:
            raise Overloaded(retry_after_s=RETRY_S)

    async def hash(self, password: str) -> str:
        """The hash to store. Raises Overloaded."""
        made = await self._run(lambda: self._hash(password))
        return made.decode("ascii")

    async def check(self, password: str, stored: str | None) -> bool:
        """Whether a password is that of a stored hash; None is nobody's. Raises Overloaded."""
        return await self._run(lambda: self._check(password, stored))

    def outdated(self, stored: str) -> bool:
        """Whether a hash was made at another cost and should be made anew."""
        return not stored.startswith(f"$2b${self.cost:02d}$")

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._aparts.empty():
            self._aparts.get().close()

    def _hash(self, password: str) -> bytes:
        return self._apart(bcrypt.hashpw, self._digest(password), bcrypt.gensalt(self.cost))

    def _check(self, password: str, stored: str | None) -> bool:
        # Well formed and of the right cost: 22 characters of salt and 31 of hash (bcrypt's own).
        nobody = f"$2b${self.cost:02d}${'.' * 53}"
        compared = (stored or nobody).encode("ascii")
        right = self._apart(bcrypt.checkpw, self._digest(password), compared)
        return right and stored is not None

    def _apart(self, work: Callable[[bytes, bytes], T], digest: bytes, salt: bytes) -> T:
        """In a child; in this thread where there is none."""
        if self.cost < APART_COST:
            return work(digest, salt)
        apart = self._aparts.get()
        try:
            return apart.call(work, digest, salt)
        except NotApart:
            return work(digest, salt)
        finally:
            self._aparts.put(apart)

    def _digest(self, password: str) -> bytes:
        # 44 characters of base64: below bcrypt's 72 bytes, and without its trouble with zeros.
        return self._secrets.password_digest(password.encode(errors="surrogatepass"))

    async def _run(self, work: Callable[[], T]) -> T:
        self.check_room()
        self._waiting += 1
        submitted = self._threads.submit(work)
        future = asyncio.wrap_future(submitted)
        future.add_done_callback(self._done)
        # Not cancelled with its caller, who would make room while the work still waits.
        done, _ = await asyncio.wait({future}, timeout=PATIENCE_S)
        if not done and submitted.cancel():  # it never began: nothing else left the core idle
            raise Overloaded(retry_after_s=RETRY_S)
        return await asyncio.shield(future)

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # seen, also when nobody waits any more


def check_new(password: str, email: str = "") -> None:
    """Whether a password may be chosen. Raises Problem: length, or the address itself."""
    if len(password) < MIN_CHARACTERS:
        raise Problem("password", "too_short")
    if len(password) > MAX_CHARACTERS:
        raise Problem("password", "too_long")
    if email and password.lower() in {email.lower(), email.partition("@")[0].lower()}:
        raise Problem("password", "is_address")


def thread_count() -> int:
    """A thread for every second core that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(MOST_THREADS, cores // 2))
