"""What a power cut leaves of a process's files, rebuilt from the journal of `disk.c`.

What was synced is there; of what was written since then each sector is there or not, as a seed
says, in any order. A sync that failed loses what it should have written although the process goes
on to read it (Linux drops such pages after reporting the error once). A file that was made exists,
one that was deleted does not: entries of folders are not what is tested here.
"""

import random
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

RECORD = struct.Struct("<cB2xIQ")
SECTOR_BYTES = 512


def build(folder: Path) -> Path:
    """The library to preload."""
    library = folder / "disk.so"
    source = Path(__file__).with_name("disk.c")
    words = ["cc", "-O2", "-shared", "-fPIC", str(source), "-o", str(library), "-ldl", "-lpthread"]
    subprocess.run(words, check=True)
    return library


@dataclass
class Record:
    what: str
    file: int
    offset: int
    data: bytes


def read_journal(path: Path) -> Iterator[Record]:
    """Every whole record; the last may be cut, as its writer may have been killed."""
    with path.open("rb") as journal:
        while len(head := journal.read(RECORD.size)) == RECORD.size:
            what, file, length, offset = RECORD.unpack(head)
            data = journal.read(length) if what in b"owa" else b""
            if len(data) < length:
                return
            yield Record(what.decode(), file, offset, data)


@dataclass
class File:
    name: str
    synced: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut to a size
    there: bool = True


class Disk:
    """The files at one moment; `apply` goes on, `cut` writes what a power cut now may leave."""

    def __init__(self) -> None:
        self.files: list[File] = []
        self.said = b""

    def apply(self, record: Record) -> None:
        if record.what == "a":
            self.said += record.data
            return
        if record.what == "o":
            self.files.append(File(record.data.decode()))
            return
        file = self.files[record.file]
        if record.what == "u":
            self.files[record.file] = File(file.name, there=False)
        elif record.what == "w":
            file.there = True
            file.pending.append((record.offset, record.data))
        elif record.what == "t":
            file.pending.append((record.offset, None))
        elif record.what == "f":
            file.pending.clear()
        else:
            for offset, data in file.pending:
                put(file.synced, offset, data)
            file.pending.clear()

    def cut(self, folder: Path, seed: int) -> None:
        """Every third cut loses all that was not synced, every third nothing, the rest some."""
        rng = random.Random(seed)
        kept = (0.0, 1.0, rng.random())[seed % 3]
        for file in self.files:
            if not file.there or file.name.endswith("-shm"):
                continue
            content = bytearray(file.synced)
            for offset, data in file.pending:
                if data is None:
                    if rng.random() < kept:
                        put(content, offset, None)
                    continue
                for at in range(0, len(data), SECTOR_BYTES):
                    if rng.random() < kept:
                        put(content, offset + at, data[at : at + SECTOR_BYTES])
            (folder / file.name).write_bytes(content)


def put(content: bytearray, offset: int, data: bytes | None) -> None:
    """Write at an offset, filling a gap with zeros; None cuts or extends to that size."""
    if data is None:
        del content[offset:]
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if data is not None:
        content[offset : offset + len(data)] = data
