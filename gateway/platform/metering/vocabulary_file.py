"""The compact form of a vocabulary that the compiled counter loads.

A file holds no token text: every token but the 256 bytes is given as the two tokens it is merged
from, which is what the counter needs and half the size. `native/vocab/build.py` writes the packaged
ones with this module, `rank_files.py` those of an operator's own rank files; native/c/bpe_load.c is
the reader.

Also puts right the few vocabularies in which a token ranks below one of its own parts: tiktoken
then merges it as soon as that part exists, which is what the order "just after the part" says. Only
counts matter here, so a token's number is its place in the order. Knows nothing of where tokens or
patterns come from.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

NEVER = 1 << 30
ROW = 32  # columns of a transition row; the last is the end of the text
LONGEST_TOKEN = 512  # bytes; TG_TOKEN_MAX of native/c/bpe.h
MOST_TOKENS = (1 << 18) - 16
PATTERN_MAGIC = b"TGP1"


class Splitter(NamedTuple):
    """A compiled pre-tokenizer: flags of the bulk splitter, classes of characters, transitions."""

    flags: int
    ascii_class: bytes  # by ASCII character: 128
    base_class: bytes  # by the class table's own numbers: 32
    rows: bytes  # ROW a state

    def pack(self) -> bytes:
        """The splitter as a file of its own."""
        head = struct.pack("<4sIB3x", PATTERN_MAGIC, self.flags, len(self.rows) // ROW)
        return head + self.ascii_class + self.base_class + self.rows

    @classmethod
    def unpack(cls, data: bytes) -> Splitter:
        """What `pack` wrote; ValueError for anything else."""
        if len(data) < 12 or data[:4] != PATTERN_MAGIC or len(data) != 172 + data[8] * ROW:
            raise ValueError("not a splitter's file")
        (flags,) = struct.unpack_from("<I", data, 4)
        return cls(flags, data[12:140], data[140:172], data[172:])


def merge(token: bytes, ranks: dict[bytes, int], limit: int) -> list[list[bytes]]:
    """The last two stages of merging the bytes of `token` by the ranks below `limit`."""
    parts, before = [token[i : i + 1] for i in range(len(token))], []
    while len(parts) > 1:
        best, place = limit, -1
        for i in range(len(parts) - 1):
            rank = ranks.get(parts[i] + parts[i + 1], limit)
            if rank < best:
                best, place = rank, i
        if place < 0:
            break
        before = parts.copy()
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return [before, parts]


def splits(tokens: list[bytes]) -> list[int]:
    """Length in bytes of the left part of each token.

    0 for single bytes and for tokens that merging never builds: these count as one token only when
    they are a whole piece.
    """
    ranks = {token: i for i, token in enumerate(tokens)}
    if len(ranks) != len(tokens):
        raise ValueError("a token occurs twice")
    found = [0] * len(tokens)
    for i, token in enumerate(tokens):
        if len(token) > 1:
            _, parts = merge(token, ranks, i)
            found[i] = len(parts[0]) if len(parts) == 2 else 0
    return found


def settle(tokens: list[bytes]) -> tuple[list[bytes], list[int]]:
    """Tokens in an order in which parts come before what is merged from them, and their splits."""
    for _ in range(8):  # a part that moved may make its users move behind it
        found = splits(tokens)
        ranks = {token: i for i, token in enumerate(tokens)}
        place: dict[bytes, tuple[int, int]] = {}
        for i, token in enumerate(tokens):
            if len(token) > 1 and not found[i]:
                before, parts = merge(token, ranks, NEVER)
                if len(parts) == 1:
                    place[token] = (max(ranks[before[0]], ranks[before[1]]), i + 1)
        if not place:
            return tokens, found
        tokens = sorted(tokens, key=lambda token: place.get(token, (ranks[token], 0)))
    raise ValueError("the merges do not settle")


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


def pack(tokens: list[bytes], splitter: Splitter) -> bytes:
    """The uncompressed file of `tokens`, in rank order; ValueError outside the counter's limits."""
    if sorted(tokens[:256]) != [bytes([b]) for b in range(256)]:
        raise ValueError("the first 256 tokens are not the bytes")
    if max(map(len, tokens)) > LONGEST_TOKEN or len(tokens) >= MOST_TOKENS:
        raise ValueError("more or longer tokens than the counter takes")
    tokens, split = settle(tokens)
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
    sizes = (len(tokens), len(whole), splitter.flags, len(literals), edges)
    head = struct.pack("<4sIIIIIB3x", b"TGV1", *sizes, len(splitter.rows) // ROW)
    classes = splitter.ascii_class + splitter.base_class + splitter.rows
    return head + classes + b"".join(tokens[:256]) + planes + literals
