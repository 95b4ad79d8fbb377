"""A provider's keys: requests take turns at them, and a key that was refused is set aside.

A key set aside comes back by itself after a time: the next request tries it. Keys stand here only
by their place in the pool; times are seconds of the monotonic clock and arguments.
"""

from gateway.platform.catalog import Provider

REFUSED, LIMITED = "refused", "rate limited"


class KeyPool:
    """The pool of one provider. `providers[n]` is the provider seen through its n-th key."""

    def __init__(self, provider: Provider) -> None:
        count = max(1, len(provider.api_keys))
        self.providers = [provider.of_key(number) for number in range(count)]
        self.troubled = False  # True: some key was set aside, and nobody looked since
        self._until_s = [0.0] * count
        self._reasons = [""] * count
        self._turn = 0

    def pick(self, now_s: float) -> int | None:
        """The next key that may be used, in turn; None when all are set aside."""
        count = len(self.providers)
        for step in range(count):
            number = (self._turn + step) % count
            if self._until_s[number] <= now_s:
                self._turn = number + 1
                return number
        return None

    def least_bad(self) -> int:
        """The key that comes back first."""
        return min(range(len(self._until_s)), key=self._until_s.__getitem__)

    def live(self, now_s: float) -> bool:
        """Whether any key may be used."""
        return not self.troubled or any(until_s <= now_s for until_s in self._until_s)

    def set_aside(self, number: int, until_s: float, reason: str) -> None:
        """Leave a key alone until then."""
        self._until_s[number] = max(self._until_s[number], until_s)
        self._reasons[number] = reason
        self.troubled = True

    def answered(self, number: int) -> None:
        """A key was accepted: it is in turn again, whatever was known of it."""
        self._until_s[number] = 0.0
        self.troubled = any(self._until_s)

    def states(self, now_s: float) -> list[str]:
        """Each key in words: `ok`, or why it is set aside."""
        return [
            "ok" if until_s <= now_s else reason
            for until_s, reason in zip(self._until_s, self._reasons, strict=True)
        ]

    def inherit(self, old: "KeyPool") -> None:
        """Take over what the provider's former pool knew of the same keys."""
        known = {
            provider.api_key: (until_s, reason)
            for provider, until_s, reason in zip(
                old.providers, old._until_s, old._reasons, strict=True
            )
        }
        for number, provider in enumerate(self.providers):
            until_s, reason = known.get(provider.api_key, (0.0, ""))
            if until_s:
                self.set_aside(number, until_s, reason)
