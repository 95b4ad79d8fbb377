"""Passwords: bcrypt over a keyed SHA-256 digest, in threads of their own.

A hash takes about a quarter of a second of a core on purpose, so there are few threads, they run
at the lowest priority, and a bounded number of callers wait for them: a flood of sign-ins is
refused before it slows the data plane. A password that belongs to nobody costs the same work.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import bcrypt

from gateway.base.errors import Overloaded
from gateway.platform.refusals import Problem
from gateway.store.secrets import Secrets

T = TypeVar("T")
THREADS = 1
MAX_WAITING = 16
NICE = 19
MIN_CHARACTERS = 8  # NIST SP 800-63B 5.1.1.2
MAX_CHARACTERS = 256
RETRY_S = 5


class Passwords:
    """Makes and checks hashes; `cost` is bcrypt's (2^cost rounds)."""

    def __init__(self, secrets: Secrets, cost: int) -> None:
        self.cost = cost
        self._secrets = secrets
        self._waiting = 0
        self._threads = ThreadPoolExecutor(
            THREADS, thread_name_prefix="tallygate-password", initializer=_yield_to_others
        )

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

    def _hash(self, password: str) -> bytes:
        return bcrypt.hashpw(self._digest(password), bcrypt.gensalt(self.cost))

    def _check(self, password: str, stored: str | None) -> bool:
        # Well formed and of the right cost: 22 characters of salt and 31 of hash (bcrypt's own).
        nobody = f"$2b${self.cost:02d}${'.' * 53}"
        right = bcrypt.checkpw(self._digest(password), (stored or nobody).encode("ascii"))
        return right and stored is not None

    def _digest(self, password: str) -> bytes:
        # 44 characters of base64: below bcrypt's 72 bytes, and without its trouble with zeros.
        return self._secrets.password_digest(password.encode(errors="surrogatepass"))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise Overloaded(retry_after_s=RETRY_S)
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._done)
        # Shielded: a caller that goes away does not make room while its work still waits.
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


def _yield_to_others() -> None:
    with suppress(OSError, AttributeError):  # threads have priorities of their own on Linux only
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
