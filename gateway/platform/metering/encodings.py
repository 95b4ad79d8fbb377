"""Which encodings the counter knows, for rooms that only name one.

The counter itself is compiled; this is its list and the default, so that a catalog with a wrong
name is refused when it is applied and not when a request comes.
"""

from gateway._native import tokens

DEFAULT_ENCODING = "o200k_base"


def known_encodings() -> frozenset[str]:
    """The names that a model's `encoding` may have."""
    return frozenset(tokens.encodings())


def preload(names: frozenset[str]) -> None:
    """Load the vocabularies of these encodings, so that no first request waits for one."""
    for name in sorted(names):
        tokens.count("", name)
