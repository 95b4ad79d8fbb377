"""Find for every token the two tokens it is last merged from.

Also puts right the few vocabularies in which a token ranks below one of its own parts: tiktoken
then merges it as soon as that part exists, which is what the order "just after the part" says. Only
counts matter here, so a token's number is its place in the order. Knows nothing of files.
"""

from __future__ import annotations

NEVER = 1 << 30


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
