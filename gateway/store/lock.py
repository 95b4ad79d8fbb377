"""The data folder and the lock that gives one process the whole of it.

Every balance is leased whole by the process that holds the lock, so a second process on the same
folder must be refused, not served. The lock is the kernel's (flock): it dies with its process,
even one that is killed. Errors are one line that says what to do. Knows nothing of databases.
"""

import fcntl
import os
from pathlib import Path

LOCK_NAME = "tallygate.lock"


class DataFolderError(Exception):
    """The data folder cannot be used; the text is one line that says what to do."""


class DataFolderInUse(DataFolderError):
    """Another process holds the data folder. `pid` is its process id, or 0 if unknown."""

    def __init__(self, text: str, pid: int) -> None:
        super().__init__(text)
        self.pid = pid


class DataFolder:
    """A locked data folder: created with mode 0700, writable, held until `release`.

    Raises DataFolderInUse when another process holds it and DataFolderError when it cannot be
    made or written to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(
                self.path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except (FileExistsError, NotADirectoryError):
            raise DataFolderError(
                f"{self.path} is not a folder; name another one with --data"
            ) from None
        except OSError as error:
            raise DataFolderError(
                f"cannot write to the data folder {self.path} ({error.strerror}); mend its "
                "permissions or name another one with --data"
            ) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _read_pid(self._descriptor)
            os.close(self._descriptor)
            who = f"process {pid}" if pid else "another process"
            raise DataFolderInUse(
                f"the data folder {self.path} is in use by {who}; stop it, or name another "
                "folder with --data",
                pid,
            ) from None
        self._write_pid()

    def _write_pid(self) -> None:
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._descriptor)
            raise DataFolderError(
                f"cannot write to the data folder {self.path} ({error.strerror}); free some "
                "space there or name another one with --data"
            ) from None

    def file(self, name: str) -> Path:
        """The path of a file in the folder."""
        return self.path / name

    def release(self) -> None:
        """Give the folder up; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "DataFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _read_pid(descriptor: int) -> int:
    try:
        return int(os.pread(descriptor, 32, 0))
    except (OSError, ValueError):
        return 0
