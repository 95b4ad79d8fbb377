"""Reading one table of a catalog document: typed access, unknown keys refused by name.

Errors are one line that names the file, the entry and the key, and never quote a value: it may be
a credential. This file does not know what the entries mean.
"""

import difflib
import re
from collections.abc import Callable, Collection
from typing import Any

from gateway.platform.refusals import Refusal

MAX_MODEL_TOKENS = 100_000_000
MAX_LIST = 64
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")


class CatalogError(Refusal):
    """The document is malformed or refers to something that is not there; nothing was changed."""


def nearest(name: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or the known names where none is near."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if known else "; known: none"


class Table:
    """One table of the document while it is read: typed access, then a check for unknown keys."""

    def __init__(self, where: str, raw: Any, known: tuple[str, ...]) -> None:
        self.where = where
        if not isinstance(raw, dict):
            raise CatalogError(f"{where}: must be a table")
        for key in raw:
            if key not in known:
                raise CatalogError(f"{where}: unknown key {key!r}{nearest(key, known)}")
        self._raw = raw

    def fail(self, text: str) -> CatalogError:
        """An error of this table, to be raised."""
        return CatalogError(f"{self.where}: {text}")

    def text(self, key: str, default: str | None = None, *, pattern: re.Pattern[str]) -> str:
        """A name that the pattern takes whole. Raises CatalogError, as all below."""
        value = self._raw.get(key, default)
        if value is None:
            raise self.fail(f"{key} is missing")
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.fail(f"{key} is not a valid name: letters, digits and a few marks")
        return value

    def choice(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self._raw.get(key, default)
        if value not in choices:
            raise self.fail(f"{key} is one of {', '.join(choices)}")
        return str(value)

    def some(
        self, key: str, choices: tuple[str, ...], default: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Some of the choices, in their order; the default where the key is left out."""
        value = self._raw.get(key)
        if value is None:
            return default
        if not isinstance(value, list) or set(map(str, value)) - {*choices}:
            raise self.fail(f"{key} is a list of {', '.join(choices)}")
        return tuple(name for name in choices if name in value)

    def flag(self, key: str) -> bool:
        """True or false; false when left out."""
        value = self._raw.get(key, False)
        if not isinstance(value, bool):
            raise self.fail(f"{key} is true or false")
        return value

    def tokens(self, key: str, *, least: int, default: int | None = None) -> int | None:
        """A number of tokens, or None."""
        value = self._raw.get(key, default)
        if value is None:
            return None
        if type(value) is not int or not least <= value <= MAX_MODEL_TOKENS:
            raise self.fail(f"{key} is a whole number of tokens, at least {least}")
        return value

    def url(self, key: str, check: Callable[[str], Any], default: str | None = None) -> str | None:
        """A URL that `check` does not refuse with ValueError, or None."""
        value = self._raw.get(key, default)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.fail(f"{key} must be a URL in quotes")
        try:
            check(value)
        except ValueError as error:
            raise self.fail(f"{key} {error}") from None
        return value

    def number(self, key: str, least: int, most: int, default: int | None = None) -> int | None:
        """A whole number within bounds, or None."""
        value = self._raw.get(key, default)
        if value is None:
            return None
        if type(value) is not int or not least <= value <= most:
            raise self.fail(f"{key} is a whole number from {least} to {most}")
        return value

    def names(self, key: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """A list of different names, maybe empty."""
        value = self._raw.get(key, [])
        if not isinstance(value, list) or len(value) > MAX_LIST:
            raise self.fail(f"{key} is a list of at most {MAX_LIST} names")
        for name in value:
            if not isinstance(name, str) or not pattern.fullmatch(name):
                raise self.fail(f"{key}: not a valid name: letters, digits and a few marks")
            if value.count(name) > 1:
                raise self.fail(f"{key}: {name!r} is written twice")
        return tuple(value)

    def tables(self, key: str) -> list[Any]:
        """A list of tables, maybe empty."""
        value = self._raw.get(key, [])
        if not isinstance(value, list):
            raise self.fail(f"{key} must be written as [[{key}]]")
        return value

    def get(self, key: str) -> Any:
        """The value as it stands, unchecked."""
        return self._raw.get(key)
