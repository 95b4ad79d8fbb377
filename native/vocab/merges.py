"""Find for every token the two tokens it is last merged from.

`split[i]` is the length in bytes of the left part; 0 for single bytes and for tokens that merging
never builds (they count as one token only when they are a whole piece). Knows nothing of files.
"""

from __future__ import annotations


def parts_below(token: bytes, ranks: dict[bytes, int], limit: int) -> list[bytes]:
    """Merge the bytes of `token` by the merges ranked below `limit`, lowest first."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 1:
        best, place = limit, -1
        for i in range(len(parts) - 1):
            rank = ranks.get(parts[i] + parts[i + 1], limit)
            if rank < best:
                best, place = rank, i
        if place < 0:
            break
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts


def splits(tokens: list[bytes]) -> bytes:
    """Length of the left part of each token; see the module."""
    ranks = {token: i for i, token in enumerate(tokens)}
    if len(ranks) != len(tokens):
        raise ValueError("a token occurs twice")
    found = bytearray(len(tokens))
    for i, token in enumerate(tokens):
        if len(token) > 1:
            parts = parts_below(token, ranks, i)
            found[i] = len(parts[0]) if len(parts) == 2 else 0
    return bytes(found)
