"""How far a long piece of work has come: written by the thread that does it, read by any other.

Knows nothing of what the work is. A reader may see a part's number beside the rows of the part
before: it is for people to look at, not to decide by.
"""


class Stopped(Exception):
    """The work was asked to end before its end."""


class Progress:
    """Parts done and rows of the present part seen, of how many; 0 parts: nothing is known yet."""

    __slots__ = ("part", "parts", "rows", "stopping", "whole")

    def __init__(self) -> None:
        self.part = 0
        self.parts = 0
        self.rows = 0
        self.whole = 0
        self.stopping = False

    def begin(self, part: int, parts: int, whole: int = 0) -> None:
        """Part `part` of `parts`, counted from 1, begins, with `whole` rows if that is known.

        Raises Stopped.
        """
        if self.stopping:
            raise Stopped
        self.rows, self.whole = 0, whole
        self.part, self.parts = part, parts

    def count(self, rows: int) -> None:
        """So many rows more of the present part. Raises Stopped."""
        if self.stopping:
            raise Stopped
        self.rows += rows
