"""One process has a data folder whole; the second gets one clear line."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.store.lock import DataFolder, DataFolderError, DataFolderInUse

HOLDER = """
import sys, time
from gateway.store.lock import DataFolder
folder = DataFolder(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "a" / "data") as folder:
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert folder.file("x").parent == folder.path
        assert (folder.path / "tallygate.lock").read_text() == f"{os.getpid()}\n"


def test_a_second_process_is_refused_and_a_kill_frees_the_folder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DataFolderInUse, match=f"in use by process {holder.pid}") as refusal:
            DataFolder(tmp_path)
        assert refusal.value.pid == holder.pid
        assert "\n" not in str(refusal.value)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    DataFolder(tmp_path).release()


def test_release_frees_the_folder_within_the_process(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with pytest.raises(DataFolderInUse):
        DataFolder(tmp_path)
    folder.release()
    folder.release()
    DataFolder(tmp_path).release()


def test_a_file_in_its_place_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataFolderError, match="not a folder"):
            DataFolder(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataFolderError, match="mend its permissions"):
        DataFolder(tmp_path)
    tmp_path.chmod(0o700)
