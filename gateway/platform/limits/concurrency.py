"""Concurrency: so many requests at once. Pure; a place taken is given back exactly once."""


class Gate:
    """`running` requests have a place; at most `limit` may."""

    __slots__ = ("limit", "running")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0

    @property
    def full(self) -> bool:
        """Whether no further request may enter. A limit that was lowered evicts nobody."""
        return self.running >= self.limit

    def enter(self) -> None:
        """Take a place; ask `full` first."""
        self.running += 1

    def leave(self) -> None:
        """Give the place back. Raises RuntimeError when there is none to give."""
        if self.running <= 0:
            raise RuntimeError("more requests left than had entered")
        self.running -= 1
