"""Keys in memory: found by a keyed digest of the whole key, in constant time, at any number.

A key is `sk-tg-` and 43 characters of base 62 that carry 256 random bits. The ring answers with
one HMAC over the whole key, one lookup by the digest and one constant-time comparison, so the
time does not depend on how much of a guess is right. This file knows no database.
"""

import hmac
import os
from collections.abc import Callable
from hashlib import sha256

from gateway.platform.accounts.accounts import Account
from gateway.platform.keys.packed import PackedKeys
from gateway.platform.keys.scope import Scope, read_scope

KEY_PREFIX = "sk-tg-"
SHOWN_CHARACTERS = 6  # of the random part: too few to help a guess, enough to tell keys apart
BODY_CHARACTERS = 43  # ceil(256 / log2(62))
MAX_KEY_BYTES = 256  # longer tokens are refused before they are hashed
_same = hmac.compare_digest
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Key:
    """A key in memory: what requests are held against, and no more."""

    def __init__(
        self,
        no: int,
        account: Account,
        digest: bytes,
        expires_us: int | None,
        cache_ttl_s: int | None = None,
        scope: Scope | None = None,
    ) -> None:
        self.no = no
        self.account = account
        self.digest = digest
        self.expires_us = expires_us
        self.cache_ttl_s = cache_ttl_s
        self.scope = scope
        self.revoked = False

    def __repr__(self) -> str:
        return f"Key({self.no})"


class KeyRing:
    """Every usable key by its digest: those used since the start, and all others packed.

    The two halves of HMAC (RFC 2104) that depend on the pepper alone are hashed once and copied
    for each key: 0.8 instead of 2.7 us for `hmac.digest`, which sets OpenSSL up anew each time.
    """

    def __init__(self, pepper: bytes) -> None:
        block = pepper.ljust(sha256().block_size, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))
        self._by_digest: dict[bytes, Key] = {}
        self._packed: PackedKeys | None = None

    def load(self, packed: PackedKeys) -> None:
        """The stored keys; once, before any other."""
        self._packed = packed

    def __len__(self) -> int:
        """Counted, not kept: nothing that serves asks for it."""
        packed = self._packed
        if packed is None:
            return len(self._by_digest)
        return len(packed) + sum(not packed.number(digest) for digest in self._by_digest)

    def find(self, token: bytes | str) -> Key | None:
        """The key of a whole token, or None. Expiry and the account's state are the caller's."""
        if isinstance(token, str):
            token = token.encode(errors="replace")
        if len(token) > MAX_KEY_BYTES:
            return None
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(token)
        outer.update(inner.digest())
        digest = outer.digest()
        key = self.by_digest(digest)
        if key is None or not _same(key.digest, digest):
            return None
        return key

    def add(self, key: Key) -> None:
        """Make a key usable."""
        self._by_digest[key.digest] = key

    def by_digest(self, digest: bytes) -> Key | None:
        """The usable key of a digest that the database holds."""
        key = self._by_digest.get(digest)
        packed = self._packed
        if key is not None or packed is None:
            return key
        no = packed.number(digest)
        if not no:
            return None
        rest = packed.rest(no)
        scope = read_scope(rest.scope)
        key = Key(no, packed.account(no), digest, rest.expires_us, rest.cache_ttl_s, scope)
        self._by_digest[digest] = key
        return key

    def remove(self, digest: bytes) -> None:
        """Take a key out and mark the record that running requests may hold."""
        key = self.by_digest(digest)
        if key is None:
            return
        del self._by_digest[digest]
        key.revoked = True
        if self._packed is not None and self._packed.number(digest):
            self._packed.ended.add(key.no)


class Recall:
    """What one connection showed last and the key it named, which saves it the next HMAC.

    In memory only, and gone with the connection. The text is compared in constant time, and the
    ring must still hold that very key: a key that was revoked or changed is looked up anew. It
    also knows until when the key's use from here is counted (see `spread`): while the connection,
    the key and what proxies said of the client stay, nothing is to be looked at again.
    """

    def __init__(self) -> None:
        self._shown = ""
        self._key: Key | None = None
        self._hops: bytes | None = None
        self._placed_until_us = 0

    def key_of(self, ring: KeyRing, shown: str) -> Key | None:
        """The key, if this very text named it before and would again; else None."""
        key = self._key
        if key is None or ring.by_digest(key.digest) is not key:
            return None
        if not shown.isascii() or not _same(shown, self._shown):
            return None
        return key

    def keep(self, shown: str, key: Key) -> None:
        """Remember what named a key just now; a key is ASCII, and so is its text."""
        self._shown, self._key = shown, key
        self._placed_until_us = 0

    def is_placed(self, hops: bytes | None, now_us: int) -> bool:
        """Whether the key's use is counted already; `hops` is what proxies said of the client."""
        return now_us < self._placed_until_us and hops == self._hops

    def place(self, hops: bytes | None, until_us: int) -> None:
        """The key's use is counted until then."""
        self._hops, self._placed_until_us = hops, until_us

    def forget(self) -> None:
        """The connection is gone."""
        self._shown, self._key = "", None
        self.place(None, 0)


class IssuedKey:
    """A key just made: the only moment its text exists. `repr` hides it."""

    __slots__ = ("id", "key", "name", "prefix", "text")

    def __init__(self, key: Key, text: str, id: str, name: str) -> None:
        self.key = key
        self.text = text
        self.id = id
        self.name = name
        self.prefix = shown_part(text)

    def __repr__(self) -> str:
        return f"IssuedKey({self.id!r})"


def shown_part(text: str) -> str:
    """The beginning of a key that may be shown."""
    return text[: len(KEY_PREFIX) + SHOWN_CHARACTERS]


def new_key_text(random: Callable[[int], bytes] = os.urandom) -> str:
    """`sk-tg-` and 256 random bits in base 62, always 43 characters long."""
    number = int.from_bytes(random(32))
    body = []
    for _ in range(BODY_CHARACTERS):
        number, digit = divmod(number, 62)
        body.append(_ALPHABET[digit])
    return KEY_PREFIX + "".join(body)
