"""API keys: issued once in plain, kept as a keyed digest, found in memory, revoked at once.

A key is `sk-tg-` and 43 characters of base 62 that carry 256 random bits; the database holds only
HMAC-SHA-256(pepper, whole key) and the first characters that may be shown. The ring answers from
memory: one HMAC over the whole key, one dict lookup by the digest, one constant-time comparison,
so the time does not depend on how much of a guess is right. A revoked key leaves the ring before
`revoke` returns, and the record that running requests hold says so too.
"""

import hmac
import os
from collections.abc import Callable, Collection, Iterable
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts.accounts import Account, Accounts
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.keys import api_keys
from gateway.store.secrets import Secrets

KEY_PREFIX = "sk-tg-"
SHOWN_CHARACTERS = 6  # of the random part: too few to help a guess, enough to tell keys apart
BODY_CHARACTERS = 43  # ceil(256 / log2(62))
MAX_KEY_BYTES = 256  # longer tokens are refused before they are hashed
MAX_NAME = 100
QUERY_NUMBERS = 500
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Key:
    """A key in memory. Its three texts share one string: a million keys must fit in 400 MiB."""

    __slots__ = ("_texts", "account", "digest", "expires_us", "no", "revoked")

    def __init__(
        self,
        no: int,
        id: str,
        account: Account,
        prefix: str,
        name: str,
        digest: bytes,
        expires_us: int | None,
    ) -> None:
        self.no = no
        self.account = account
        self.digest = digest
        self.expires_us = expires_us
        self.revoked = False
        self._texts = f"{id}\n{prefix}\n{name}"

    @property
    def id(self) -> str:
        """The key's public id, `key_...`."""
        return self._texts.split("\n", 1)[0]

    @property
    def prefix(self) -> str:
        """The beginning of the key that may be shown."""
        return self._texts.split("\n", 2)[1]

    @property
    def name(self) -> str:
        """What its owner calls it."""
        return self._texts.split("\n", 2)[2]

    def __repr__(self) -> str:
        return f"Key({self.id!r})"


class KeyRing:
    """Every usable key by its digest.

    The two halves of HMAC (RFC 2104) that depend on the pepper alone are hashed once and copied
    for each key: 0.8 instead of 2.7 us for `hmac.digest`, which sets OpenSSL up anew each time.
    """

    __slots__ = ("_by_digest", "_inner", "_outer")

    def __init__(self, pepper: bytes) -> None:
        block = pepper.ljust(sha256().block_size, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))
        self._by_digest: dict[bytes, Key] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

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
        key = self._by_digest.get(digest)
        if key is None or not hmac.compare_digest(key.digest, digest):
            return None
        return key

    def add(self, key: Key) -> None:
        """Make a key usable."""
        self._by_digest[key.digest] = key

    def remove(self, digest: bytes) -> None:
        """Take a key out and mark the record that running requests may hold."""
        key = self._by_digest.pop(digest, None)
        if key is not None:
            key.revoked = True


class IssuedKey:
    """A key just made: the only moment its text exists. `repr` hides it."""

    __slots__ = ("key", "text")

    def __init__(self, key: Key, text: str) -> None:
        self.key = key
        self.text = text

    def __repr__(self) -> str:
        return f"IssuedKey({self.key.id!r})"


def new_key_text(random: Callable[[int], bytes] = os.urandom) -> str:
    """`sk-tg-` and 256 random bits in base 62, always 43 characters long."""
    number = int.from_bytes(random(32))
    body = []
    for _ in range(BODY_CHARACTERS):
        number, digit = divmod(number, 62)
        body.append(_ALPHABET[digit])
    return KEY_PREFIX + "".join(body)


class Keys:
    """Issues, lists and revokes; keeps the ring equal to the database."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        secrets: Secrets,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self.ring = KeyRing(secrets.pepper)
        self._database = database
        self._accounts = accounts
        self._secrets = secrets
        self._clock = clock
        self._ids = ids

    async def load(self) -> None:
        """Fill the ring with every key that is not revoked; accounts must be loaded."""

        def read(connection: Connection) -> None:
            columns = api_keys.c
            query = select(
                columns.no,
                columns.id,
                columns.account_no,
                columns.prefix,
                columns.name,
                columns.digest,
                columns.expires_us,
            ).where(columns.revoked_us.is_(None))
            rows = connection.execution_options(yield_per=5_000).execute(query)
            self._fill(row for part in rows.partitions() for row in part)

        await self._database.read(read)

    def _fill(self, rows: Iterable[Any]) -> None:
        by_no, add = self._accounts.by_no, self.ring.add
        for no, id, account_no, prefix, name, digest, expires_us in rows:
            add(Key(no, id, by_no(account_no), prefix, name, digest, expires_us))

    async def issue(
        self,
        account: Account,
        name: str,
        *,
        expires_us: int | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> IssuedKey:
        """A new key of an account. Raises Refusal for a name that is empty, long or unprintable."""
        label = name.strip()
        if not label or len(label) > MAX_NAME or not label.isprintable():
            raise Refusal(f"a key's name is 1 to {MAX_NAME} printable characters")
        text = new_key_text(random)
        digest = self._secrets.key_digest(text.encode())
        prefix = text[: len(KEY_PREFIX) + SHOWN_CHARACTERS]
        row = {"id": self._ids.make("key"), "name": label, "prefix": prefix, "digest": digest}
        times = {"created_us": self._clock.now_us(), "expires_us": expires_us}

        def add(connection: Connection) -> int:
            # Numbers are never reused: rows of the request log refer to them.
            no = (connection.execute(select(func.max(api_keys.c.no))).scalar() or 0) + 1
            connection.execute(
                insert(api_keys).values(no=no, account_no=account.no, **row, **times)
            )
            return int(no)

        no = await self._database.write(add)
        key = Key(no, str(row["id"]), account, prefix, label, digest, expires_us)
        self.ring.add(key)
        return IssuedKey(key, text)

    async def revoke(self, name_or_id: str, account: Account | None = None) -> str:
        """Revoke by id, shown prefix, or (within an account) name; returns the key's id.

        Revoking twice is no error. Raises Refusal when nothing, or more than one key, matches.
        """
        now_us = self._clock.now_us()
        columns = api_keys.c

        def change(connection: Connection) -> tuple[str, bytes]:
            query = select(columns.no, columns.id, columns.digest, columns.revoked_us).where(
                (columns.id == name_or_id)
                | (columns.prefix == name_or_id)
                | ((columns.name == name_or_id) if account is not None else False)
            )
            if account is not None:
                query = query.where(columns.account_no == account.no)
            found = connection.execute(query).all()
            usable = [row for row in found if row.revoked_us is None] or found[:1]
            if not usable:
                raise Refusal(f"no key {name_or_id[:80]!r}; see: tallygate keys list")
            if len(usable) > 1:
                raise Refusal(f"{len(usable)} keys match {name_or_id[:80]!r}; name one by its id")
            row = usable[0]
            if row.revoked_us is None:
                connection.execute(
                    update(api_keys).where(columns.no == row.no).values(revoked_us=now_us)
                )
            return row.id, row.digest

        id, digest = await self._database.write(change)
        self.ring.remove(digest)
        return id

    async def named(self, id_or_prefix: str, account: Account | None = None) -> "KeyRow":
        """One key, revoked or not, by its id or shown prefix. Raises Refusal."""
        columns = api_keys.c
        query = select(api_keys).where(
            (columns.id == id_or_prefix) | (columns.prefix == id_or_prefix)
        )
        if account is not None:
            query = query.where(columns.account_no == account.no)

        def read(connection: Connection) -> Any:
            return connection.execute(query.order_by(columns.no.desc()).limit(1)).first()

        row = await self._database.read(read)
        if row is None:
            raise Refusal(f"no key {id_or_prefix[:80]!r}; see: tallygate keys list")
        return KeyRow(row, self._accounts)

    async def ids(self, numbers: Collection[int]) -> dict[int, str]:
        """The public ids of keys by number, as many as there are."""
        columns = api_keys.c

        def read(connection: Connection) -> dict[int, str]:
            found: dict[int, str] = {}
            wanted = sorted(numbers)
            for start in range(0, len(wanted), QUERY_NUMBERS):
                part = wanted[start : start + QUERY_NUMBERS]
                query = select(columns.no, columns.id).where(columns.no.in_(part))
                found.update(connection.execute(query).all())
            return found

        return await self._database.read(read)

    async def listing(self, account: Account | None = None, limit: int = 1_000) -> list["KeyRow"]:
        """Keys, newest first, at most `limit`; of one account or of all."""
        query = select(api_keys).order_by(api_keys.c.no.desc()).limit(limit)
        if account is not None:
            query = query.where(api_keys.c.account_no == account.no)

        def read(connection: Connection) -> list[Any]:
            return list(connection.execute(query).all())

        return [KeyRow(row, self._accounts) for row in await self._database.read(read)]


class KeyRow:
    """One line of a key listing. `created_us`, `expires_us`, `revoked_us`: epoch microseconds."""

    __slots__ = (
        "account",
        "created_us",
        "expires_us",
        "id",
        "name",
        "no",
        "prefix",
        "revoked_us",
    )

    def __init__(self, row: Any, accounts: Accounts) -> None:
        self.no: int = row.no
        self.id: str = row.id
        self.account = accounts.by_no(row.account_no)
        self.name: str = row.name
        self.prefix: str = row.prefix
        self.created_us: int = row.created_us
        self.expires_us: int | None = row.expires_us
        self.revoked_us: int | None = row.revoked_us
