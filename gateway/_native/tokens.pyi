"""Counts tokens as text passes, exactly, at any cutting of the bytes."""

from collections.abc import Callable
from pathlib import Path

DATA: Path
ESTIMATES: dict[str, tuple[str, int, int]]
ALIASES: dict[str, str]

class VocabularyError(RuntimeError):
    """A vocabulary file is missing, altered, malformed, or memory is short."""

class Counter:
    """Counts the tokens of one text given in any pieces; `exact` is False for an estimate.

    One thread at a time may count with an encoding. ValueError for an unknown encoding,
    VocabularyError when its file cannot be used.
    """

    @property
    def encoding(self) -> str: ...
    @property
    def exact(self) -> bool: ...
    def __new__(cls, encoding: str) -> Counter: ...
    def feed(self, text: bytes | bytearray | memoryview | str) -> None:
        """Count on: str, or bytes of UTF-8 cut anywhere. Never raises on what the text holds.

        What is not UTF-8 counts as U+FFFD; so does a lone surrogate, while the halves of a pair
        are joined, across feeds too.
        """
    @property
    def count(self) -> int:
        """Tokens decided so far: a lower bound that never falls."""
    def finish(self) -> int:
        """The text is complete: its exact count. Feeding on begins a new text, counted on top."""

def vocabularies() -> list[str]:
    """Names of the exact encodings, sorted."""

def encodings() -> list[str]:
    """Names a Counter takes: the vocabularies, then the estimates."""

def provide(name: str, make: Callable[[], bytes]) -> None:
    """Add an encoding: `make()` gives its uncompressed vocabulary when it is first used."""

def splitter(name: str) -> bytes:
    """The packaged splitter of that name, for a vocabulary that is not packaged."""

def load(encoding: str) -> object:
    """Load a vocabulary now rather than at first use; ValueError for an unknown name."""

def count(text: bytes | bytearray | memoryview | str, encoding: str) -> int:
    """Tokens of a whole text, str or bytes of UTF-8."""
