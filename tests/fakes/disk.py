"""A file system of a few MiB, to be full; unmounted however the run ends."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

# Unmounts when its input closes, which happens however the test's process ends, kill -9 included.
_UNMOUNT = 'read _; umount "$0" || umount -l "$0"'


@contextlib.contextmanager
def small_file_system(folder: Path, size_mib: int) -> Iterator[Path]:
    """The folder, made and mounted; skips the test where mounting is not allowed."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("a tmpfs cannot be mounted here: it needs root")
    with subprocess.Popen(["sh", "-c", _UNMOUNT, str(folder)], stdin=subprocess.PIPE):
        yield folder
    assert not folder.is_mount()
