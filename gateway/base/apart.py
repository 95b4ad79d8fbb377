"""Work done apart: functions run in a child process that yields to everything else.

The data plane is one process with one interpreter. A thread of it that draws a page or hashes a
password takes the interpreter's lock from the event loop, and one of low priority is worse: on a
busy machine it may be kept from running while it holds the lock, and every stream waits for it.
What is long and needs no state of ours is therefore done apart. This is a convenience, never a
dependency: `Apart.call` raises `NotApart` whenever the child is not to be had (nobody asks often
enough, it starts, it died, it is too slow, the values do not travel), and the caller does the work
itself, as it would without this file.

Invariants: one request at a time, of one thread of the caller's at a time; a deadline on each,
after which the child is killed; a child that is lost is replaced, at most once in `RESTART_S`. It
ends when its end of the socket does, so that no death of the parent leaves an orphan. Its
arguments and its environment hold nothing of ours: what it works on comes through the socket, a
pickle between two processes of one user, of one program. It must not know what the work is.
"""

import contextlib
import logging
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")
log = logging.getLogger("tallygate.apart")

RESTART_S: Final = 5.0  # between two starts
WINDOW_S: Final = 10.0  # in which as many calls as `worth` start the child
END_S: Final = 2.0  # for a killed child to be gone
MAX_FRAME_BYTES: Final = 64 << 20
_LENGTH: Final = struct.Struct(">I")
_OURS: Final = "TALLYGATE_"  # settings, among them secrets


class NotApart(Exception):
    """The work was not done apart: the caller does it itself."""


class Job(NamedTuple):
    """A function of a module and its arguments; all of it can be pickled."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


class Apart:
    """A child process that is started when there is enough to do; for one thread at a time.

    `first` is run in each new child before it is used. The child has the niceness `nice` and, with
    `idle`, runs only on an idle core (Linux). Fewer than `worth` calls in `WINDOW_S` start none. A
    call waits for a child that starts only when this is `patient`.
    """

    def __init__(
        self,
        name: str,
        first: Job | None = None,
        *,
        nice: int = 19,
        idle: bool = False,
        worth: int = 1,
        patient: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        self.done = 0  # calls that were answered
        self.starts = 0
        self._name = name
        self._first = first or Job(os.getpid)
        self._manner = (nice, idle)
        self._worth = worth
        self._patient = patient
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready = self._closed = False
        self._start_s = -RESTART_S
        self._window_s = 0.0
        self._asked = 0

    @property
    def pid(self) -> int | None:
        """The child's, while there is one."""
        return self._process.pid if self._process is not None else None

    def call(self, work: Callable[..., T], *arguments: Any) -> T:
        """`work(*arguments)`, done apart; blocks the thread. Raises NotApart and nothing else."""
        try:
            channel = self._channel()
            frame = _packed(Job(work, arguments))
        except NotApart:
            raise
        except (OSError, EOFError) as error:
            self._lose(error)
            raise NotApart from error
        except Exception as error:  # what a value's pickle raises is its own business
            raise NotApart from error
        try:
            channel.sendall(frame)
            answer: T = _answer(channel)
        except (OSError, EOFError) as error:  # TimeoutError among them
            self._lose(error)
            raise NotApart from error
        self.done += 1
        return answer

    def close(self) -> None:
        """End the child; nothing is done apart any more."""
        self._closed = True
        self._end()

    def _channel(self) -> socket.socket:
        """The way to a child that is ready. Raises NotApart, OSError, EOFError."""
        if self._socket is None and self._is_worth_it():
            self._start()
        channel = self._socket
        if channel is None:
            raise NotApart
        if not self._ready:
            if not (self._patient or select.select([channel], [], [], 0)[0]):
                raise NotApart
            _answer(channel)
            self._ready = True
        return channel

    def _is_worth_it(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._window_s > WINDOW_S:
            self._window_s, self._asked = now_s, 0
        self._asked += 1
        rested = now_s - self._start_s >= RESTART_S
        return self._asked >= self._worth and rested and not self._closed

    def _start(self) -> None:
        self._start_s = time.monotonic()
        self.starts += 1
        ours, theirs = socket.socketpair()
        self._socket = ours
        with theirs:
            # Not a session of its own: Linux weighs priorities within a session (autogroups).
            self._process = subprocess.Popen(  # noqa: S603 (this file, by this interpreter)
                [sys.executable, "-P", __file__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={k: v for k, v in os.environ.items() if not k.startswith(_OURS)},
            )
        ours.settimeout(self._timeout_s)
        ours.sendall(_framed(pickle.dumps((list(sys.path), *self._manner))) + _packed(self._first))

    def _lose(self, error: BaseException) -> None:
        """The child is of no use any more."""
        status = self._end()
        facts = {"work": self._name, "error": type(error).__name__, "status": status}
        log.warning("child_lost", extra={"f": facts})

    def _end(self) -> int | None:
        """Kill the child, which has no state; its exit status, where it had ended by itself."""
        self._ready = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        process, self._process = self._process, None
        if process is None:
            return None
        status = process.poll()
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # an idle one on a busy core
            process.wait(END_S)
        return status


def _packed(job: Job) -> bytes:
    return _framed(pickle.dumps(tuple(job), pickle.HIGHEST_PROTOCOL))


def _framed(body: bytes) -> bytes:
    if len(body) > MAX_FRAME_BYTES:
        raise pickle.PicklingError
    return _LENGTH.pack(len(body)) + body


def _answer(source: socket.socket) -> Any:
    """What the child answered. Raises NotApart where the work failed there; OSError, EOFError."""
    done, value = pickle.loads(_frame(source))  # noqa: S301 (of our own child)
    if not done:
        raise NotApart(value)
    return value


def _frame(source: socket.socket) -> bytes:
    """The next frame. Raises EOFError when the other side has gone."""
    return _exactly(source, _LENGTH.unpack(_exactly(source, _LENGTH.size))[0])


def _exactly(source: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = source.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


# --- the child ----------------------------------------------------------------------------------


def serve(parent: socket.socket) -> None:
    """Work until the parent has gone."""
    with contextlib.suppress(EOFError, ConnectionError):
        path, nice, idle = pickle.loads(_frame(parent))  # noqa: S301 (of our own parent)
        sys.path[:] = path
        yield_to_others(nice, idle=idle)
        while True:
            parent.sendall(_work(_frame(parent)))


def _work(frame: bytes) -> bytes:
    """The answer to a request; for what fails the name of the error: the parent does it again."""
    try:
        work, arguments = pickle.loads(frame)  # noqa: S301 (of our own parent)
        return _framed(pickle.dumps((True, work(*arguments)), pickle.HIGHEST_PROTOCOL))
    except Exception as error:  # noqa: BLE001 (the parent meets it, and says it)
        return _framed(pickle.dumps((False, type(error).__name__)))


def yield_to_others(nice: int, *, idle: bool) -> None:
    """Run when others need the core least; only then, with `idle`, on Linux (sched(7))."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    if idle and sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends us
    serve(socket.socket(fileno=0))
