"""Deterministic text in token-sized pieces: lorem ipsum by seed, and any text cut into pieces.

Pure. Every piece of the lorem text is a pre-token and a single token of o200k_base, so `tokens`
asked for are tokens counted; under another vocabulary a piece may cost more, and the cost decides.
Nothing here knows of requests, events or time.
"""

import random
import re
from collections.abc import Iterable, Iterator

from gateway._native.tokens import count

TAPE_PIECES = 4096
# Words that are one token of o200k_base with a space before them (checked by a test).
_WORDS = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut "
    "labore et dolore magna aliqua enim ad minim veniam quis exercitation laboris nisi ex ea "
    "commodo consequat aute in reprehenderit voluptate velit esse eu fugiat nulla pariatur sint "
    "non sunt culpa qui officia deserunt anim id est laborum ante arcu augue cursus dictum "
    "egestas elementum erat faucibus gravida justo lacus libero luctus massa metus molestie neque "
    "nibh nunc odio orci porta posuere pretium purus quam risus sapien semper suscipit tellus "
    "tempus tincidunt tortor tristique turpis urna vestibulum vitae volutpat vulputate"
)
WORDS = tuple(_WORDS.split())
# ... and these with a capital letter, with the space and without it.
_OPENERS = "Lorem Sit Sed Ut Et Ad Ex Esse Sint Non Qui Anim Est Ante"
OPENERS = tuple(_OPENERS.split())
# A word with the space before it, a run of space, or a few marks; joined they are the text again.
_PIECE = re.compile(r"[^\S\r\n]?\w{1,12}|\s{1,16}|[^\w\s]{1,4}")


def _tape() -> tuple[tuple[str, ...], tuple[int, ...]]:
    """A long text as pieces, and the places in it where a sentence begins."""
    # The one seed that matters to everybody: another number changes every answer there is.
    dice = random.Random(1)
    pieces: list[str] = []
    starts: list[int] = []
    while len(pieces) < TAPE_PIECES:
        starts.append(len(pieces))
        pieces.append(" " + (dice.choice(OPENERS) if len(starts) > 1 else OPENERS[0]))
        words = list(WORDS[1:5]) if len(starts) == 1 else []
        words += dice.sample(WORDS, dice.randint(3, 9))
        comma = dice.randrange(2, 12)
        for number, word in enumerate(words):
            pieces.append(" " + word)
            if number == comma and number + 1 < len(words):
                pieces.append(",")
        pieces.append(".")
    return tuple(pieces), tuple(starts)


_TAPE, _STARTS = _tape()


def lorem(seed: int) -> Iterator[str]:
    """Endless lorem ipsum, one piece at a time; the same for the same seed."""
    place = _STARTS[seed % len(_STARTS)]
    yield _TAPE[place][1:]
    place += 1
    tape = _TAPE
    size = len(tape)
    while True:
        if place == size:
            place = 0
        yield tape[place]
        place += 1


def pieces_of(text: str) -> Iterator[str]:
    """Any text in small pieces that join to the text again."""
    for match in _PIECE.finditer(text):
        yield match.group()


class Scale:
    """What pieces cost in one vocabulary; remembers the costs of the lorem words only."""

    __slots__ = ("_costs", "_encoding")

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._costs = {piece: count(piece, encoding) for piece in set(_TAPE)}

    def cost(self, piece: str) -> int:
        """Tokens of a piece by itself."""
        known = self._costs.get(piece)
        return count(piece, self._encoding) if known is None else known

    def take(self, pieces: Iterable[str], budget: int) -> tuple[list[str], int, bool]:
        """Pieces that fit the budget, their cost, and whether any were left over."""
        taken: list[str] = []
        spent = 0
        for piece in pieces:
            cost = self.cost(piece)
            if spent + cost > budget:
                return taken, spent, True
            taken.append(piece)
            spent += cost
        return taken, spent, False


_scales: dict[str, Scale] = {}


def scale(encoding: str) -> Scale:
    """The scale of a vocabulary, built once."""
    found = _scales.get(encoding)
    if found is None:
        found = _scales[encoding] = Scale(encoding)
    return found


def cut_at_stop(pieces: list[str], stops: tuple[str, ...]) -> tuple[list[str], bool]:
    """The pieces before the first stop sequence, and whether there was one."""
    text = "".join(pieces)
    ends = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
    if not ends:
        return pieces, False
    end = min(ends)
    kept: list[str] = []
    for piece in pieces:
        if end <= 0:
            break
        kept.append(piece[:end])
        end -= len(piece)
    return kept, True
