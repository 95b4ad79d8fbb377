"""The path of the administration socket, also where it is too long for a socket address.

A Unix socket's address holds about a hundred bytes (108 on Linux, unix(7); 104 on macOS). For a
longer path a short one is made: a private temporary folder with a symbolic link to the data
folder. Standard library only: the command line imports this before anything heavy.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET_FILE = "admin.sock"
MAX_ADDRESS_BYTES = 100


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A path of the same socket that fits an address; valid while the context lasts."""
    if len(os.fsencode(path)) <= MAX_ADDRESS_BYTES:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="tg-") as folder:
        link = Path(folder) / "d"
        link.symlink_to(path.parent.absolute(), target_is_directory=True)
        yield str(link / path.name)
