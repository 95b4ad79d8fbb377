"""Probe tiktoken's own regular-expression engine for the class of every code point.

The gateway must split as tiktoken does, whose Unicode version differs from Python's; so the
engine itself is asked. The result is a two-stage table shared by all families. Knows nothing of
vocabularies.
"""

from __future__ import annotations

import struct

import tiktoken
from automaton import Atom

BLOCK = 128
# Order matters: a later entry overrides an earlier one.
CATEGORIES = {
    "U": r"[\p{Lu}\p{Lt}]",
    "l": r"\p{Ll}",
    "o": r"[\p{Lm}\p{Lo}]",
    "M": r"\p{M}",
    "N": r"\p{N}",
    "P": r"\p{P}",
    "S": r"\p{S}",
    "w": r"\s",
    "n": r"[\r\n]",
    "f": "\u017f",
}
DEEPSEEK_CJK = ((0x4E00, 0x9FA5), (0x3040, 0x30FF))


def _matching(pattern: str) -> set[int]:
    """Code points one `pattern` matches: tiktoken drops what the pattern leaves out."""
    ranks = {bytes([i]): i for i in range(256)}
    engine = tiktoken.Encoding("probe", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    text = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF)
    found: set[int] = set()
    for at in range(0, len(text), 65536):  # small slices keep the engine's memory small
        tokens = engine.encode_ordinary(text[at : at + 65536])
        found.update(ord(c) for c in engine.decode(tokens, errors="strict"))
    return found


def probe() -> list[Atom]:
    """The atom of every code point; `code` is set for ASCII only."""
    letter = ["x"] * 0x110000
    for name, pattern in CATEGORIES.items():
        for point in _matching(pattern):
            letter[point] = name
    han = _matching(r"\p{Han}")
    return [
        (
            letter[point],
            point if point < 128 else -1,
            point in han,
            any(low <= point <= high for low, high in DEEPSEEK_CJK),
        )
        for point in range(0x110000)
    ]


def pack(points: list[Atom], atoms: list[Atom]) -> bytes:
    """Two-stage table: u16 first[0x110000/128], then blocks of 128 atom numbers.

    `atoms` lists the non-ASCII atoms in their numbering; ASCII has its own table per family.
    """
    number = {atom: i for i, atom in enumerate(atoms)}
    blocks: dict[bytes, int] = {}
    first = []
    for at in range(0, 0x110000, BLOCK):
        block = bytes(number.get(points[p], 0) for p in range(at, at + BLOCK))
        first.append(blocks.setdefault(block, len(blocks)))
    head = struct.pack("<4sHH", b"TGU1", len(blocks), len(atoms))
    return head + struct.pack(f"<{len(first)}H", *first) + b"".join(blocks)
