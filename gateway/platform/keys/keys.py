"""Keys in the database: issued once in plain, listed, revoked; the ring is kept equal to it.

The database holds HMAC-SHA-256(pepper, whole key) and the first characters that may be shown. A
change is durable before the ring shows it: a revoked key leaves the ring before `revoke` returns,
and the record that running requests hold says so too. Nothing is written per request.
"""

import os
from array import array
from collections.abc import Callable, Collection
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, or_, select, update

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts.accounts import Account, Accounts
from gateway.platform.keys.packed import PackedKeys, Rest
from gateway.platform.keys.ring import IssuedKey, Key, KeyRing, new_key_text, shown_part
from gateway.platform.keys.scope import Scope, read_scope, write_scope
from gateway.platform.refusals import Refusal
from gateway.store.columns import read_columns, read_integers
from gateway.store.database import Database
from gateway.store.schema.keys import api_keys
from gateway.store.secrets import Secrets

MAX_NAME = 100
QUERY_NUMBERS = 500
MAX_TTL_S = 31 * 86_400
DAY_US = 86_400 * 10**6
MAX_GRACE_US = 30 * DAY_US
Ending = Literal["revoked", "leaked", "rotated"]


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
        self.on_end: Callable[[int], None] = _nothing  # told the number of a key that ended
        self._database = database
        self._accounts = accounts
        self._secrets = secrets
        self._clock = clock
        self._ids = ids

    async def load(self) -> None:
        """Fill the ring with every key that has not ended; accounts may come later."""
        self.ring.load(await self._database.read(self._read))

    def _read(self, connection: Connection) -> PackedKeys:
        columns = api_keys.c
        digests = select(columns.digest, columns.no).order_by(columns.digest)
        packed, numbers = read_columns(connection, digests)
        owners = read_integers(connection, select(columns.account_no).order_by(columns.no))
        if max(numbers, default=0) != len(numbers):  # some are gone: their places stay empty
            listed = read_integers(connection, select(columns.no).order_by(columns.no))
            spread = array("q", bytes(8 * (listed[-1] + 1)))
            for no, owner in zip(listed, owners, strict=True):
                spread[no] = owner
            owners = spread
        else:
            owners.insert(0, 0)  # numbers begin at 1
        special = (columns.expires_us, columns.cache_ttl_s, columns.scope)
        rest = select(columns.no, *special).where(
            columns.revoked_us.is_(None), or_(*(each.is_not(None) for each in special))
        )
        ended = select(columns.no).where(columns.revoked_us.is_not(None))
        return PackedKeys(
            packed,
            numbers,
            owners,
            {row[0]: Rest(*row[1:]) for row in connection.execute(rest)},
            set(read_integers(connection, ended)),
            self._accounts.by_no,
        )

    async def issue(
        self,
        account: Account,
        name: str,
        *,
        expires_us: int | None = None,
        scope: Scope | None = None,
        cache_ttl_s: int | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> IssuedKey:
        """A new key of an account. Raises Refusal for a name that is empty, long or unprintable."""
        label = _label(name)
        text = new_key_text(random)
        digest = self._secrets.key_digest(text.encode())
        prefix = shown_part(text)
        row = {"id": self._ids.make("key"), "name": label, "prefix": prefix, "digest": digest}
        times = {"created_us": self._clock.now_us(), "expires_us": expires_us}
        bounds = {"scope": write_scope(scope), "cache_ttl_s": cache_ttl_s}

        def add(connection: Connection) -> int:
            # Numbers are never reused: rows of the request log refer to them.
            no = (connection.execute(select(func.max(api_keys.c.no))).scalar() or 0) + 1
            connection.execute(
                insert(api_keys).values(no=no, account_no=account.no, **row, **times, **bounds)
            )
            return int(no)

        no = await self._database.write(add)
        key = Key(no, account, digest, expires_us, cache_ttl_s, scope)
        self.ring.add(key)
        return IssuedKey(key, text, str(row["id"]), label)

    async def revoke(
        self, name_or_id: str, account: Account | None = None, *, ended_by: Ending = "revoked"
    ) -> str:
        """Revoke by id, shown prefix, or (within an account) name; returns the key's id.

        Revoking twice is no error. Raises Refusal when nothing, or more than one key, matches.
        """
        now_us = self._clock.now_us()
        columns = api_keys.c

        def change(connection: Connection) -> tuple[str, bytes, int]:
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
                    update(api_keys)
                    .where(columns.no == row.no)
                    .values(revoked_us=now_us, ended_by=ended_by)
                )
            return row.id, row.digest, row.no

        id, digest, no = await self._database.write(change)
        self.ring.remove(digest)
        self.on_end(no)
        return id

    async def change(
        self, row: "KeyRow", *, name: str, scope: Scope | None, expires_us: int | None
    ) -> None:
        """Rename, bound and date a key that is not revoked; from now on. Raises Refusal."""
        if row.revoked_us is not None:
            raise Refusal("a revoked key stays as it is")
        label, columns = _label(name), api_keys.c
        values = {"name": label, "scope": write_scope(scope), "expires_us": expires_us}

        def write(connection: Connection) -> bytes:
            connection.execute(update(api_keys).where(columns.no == row.no).values(**values))
            return _digest_of(connection, row.no)

        key = self.ring.by_digest(await self._database.write(write))
        if key is not None:
            self.ring.add(Key(key.no, key.account, key.digest, expires_us, key.cache_ttl_s, scope))

    async def rotate(self, row: "KeyRow", grace_us: int) -> IssuedKey:
        """A new key in the place of another, which works on for so long and then no more.

        Name, bounds and expiry are the old key's; limits are the caller's to copy. Raises Refusal
        for a key that has ended or was rotated before.
        """
        now_us = self._clock.now_us()
        if row.revoked_us is not None or (row.expires_us or now_us + 1) <= now_us:
            raise Refusal("the key has ended; make a new one")
        if row.ended_by:
            raise Refusal("the key has been replaced already")
        if not 0 <= grace_us <= MAX_GRACE_US:
            raise Refusal(f"a key works on for at most {MAX_GRACE_US // DAY_US} days")
        issued = await self.issue(
            row.account,
            row.name,
            expires_us=row.expires_us,
            scope=row.scope,
            cache_ttl_s=row.cache_ttl_s,
        )
        if not grace_us:
            await self.revoke(row.id, row.account, ended_by="rotated")
            return issued
        end_us = min(row.expires_us or now_us + grace_us, now_us + grace_us)
        values = {"expires_us": end_us, "ended_by": "rotated"}

        def write(connection: Connection) -> bytes:
            connection.execute(update(api_keys).where(api_keys.c.no == row.no).values(**values))
            return _digest_of(connection, row.no)

        key = self.ring.by_digest(await self._database.write(write))
        if key is not None:
            key.expires_us = end_us
        return issued

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

    async def set_cache(self, id_or_prefix: str, ttl_s: int | None) -> "KeyRow":
        """Let a key's answers be cached for so long; None: not. Raises Refusal."""
        if ttl_s is not None and not 1 <= ttl_s <= MAX_TTL_S:
            raise Refusal(f"answers are cached for 1 to {MAX_TTL_S} seconds")
        row = await self.named(id_or_prefix)

        def change(connection: Connection) -> bytes:
            columns = api_keys.c
            connection.execute(
                update(api_keys).where(columns.no == row.no).values(cache_ttl_s=ttl_s)
            )
            return _digest_of(connection, row.no)

        key = self.ring.by_digest(await self._database.write(change))
        if key is not None:
            key.cache_ttl_s = ttl_s
        row.cache_ttl_s = ttl_s
        return row

    async def rest(self, numbers: Collection[int], *, resting: bool) -> None:
        """Let keys work no more for now, or again; those that were revoked stay so."""
        columns = api_keys.c

        def read(connection: Connection) -> list[Any]:
            found: list[Any] = []
            wanted = sorted(numbers)
            for start in range(0, len(wanted), QUERY_NUMBERS):
                part = wanted[start : start + QUERY_NUMBERS]
                query = select(api_keys).where(columns.no.in_(part), columns.revoked_us.is_(None))
                found += connection.execute(query).all()
            return found

        for row in await self._database.read(read):
            if resting:
                self.ring.remove(row.digest)
                self.on_end(row.no)
            elif self.ring.by_digest(row.digest) is None:
                bounds = (row.expires_us, row.cache_ttl_s, read_scope(row.scope))
                account = self._accounts.by_no(row.account_no)
                self.ring.add(Key(row.no, account, bytes(row.digest), *bounds))

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

    async def numbered(self, numbers: Collection[int]) -> dict[int, "KeyRow"]:
        """Keys by number, ended ones too, as many as there are."""
        columns, wanted = api_keys.c, sorted(set(numbers))

        def read(connection: Connection) -> list[Any]:
            found: list[Any] = []
            for start in range(0, len(wanted), QUERY_NUMBERS):
                part = wanted[start : start + QUERY_NUMBERS]
                found += connection.execute(select(api_keys).where(columns.no.in_(part))).all()
            return found

        rows = await self._database.read(read) if wanted else []
        return {row.no: KeyRow(row, self._accounts) for row in rows}

    async def listing(
        self,
        account: Account | None = None,
        limit: int = 1_000,
        *,
        before_no: int | None = None,
        prefix: str | None = None,
    ) -> list["KeyRow"]:
        """Keys, newest first, at most `limit`; of one account or of all, made before the one of a
        number, with a shown prefix."""
        query = select(api_keys).order_by(api_keys.c.no.desc()).limit(limit)
        if account is not None:
            query = query.where(api_keys.c.account_no == account.no)
        if before_no is not None:
            query = query.where(api_keys.c.no < before_no)
        if prefix is not None:
            query = query.where(api_keys.c.prefix == prefix)

        def read(connection: Connection) -> list[Any]:
            return list(connection.execute(query).all())

        return [KeyRow(row, self._accounts) for row in await self._database.read(read)]


def _nothing(_: int) -> None:
    """Nobody wants to know."""


def _label(name: str) -> str:
    label = name.strip()
    if not label or len(label) > MAX_NAME or not label.isprintable():
        raise Refusal(f"a key's name is 1 to {MAX_NAME} printable characters")
    return label


def _digest_of(connection: Connection, no: int) -> bytes:
    return bytes(
        connection.execute(select(api_keys.c.digest).where(api_keys.c.no == no)).scalar_one()
    )


class KeyRow:
    """One line of a key listing. `created_us`, `expires_us`, `revoked_us`: epoch microseconds."""

    __slots__ = (
        "account",
        "cache_ttl_s",
        "created_us",
        "ended_by",
        "expires_us",
        "id",
        "name",
        "no",
        "prefix",
        "revoked_us",
        "scope",
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
        self.cache_ttl_s: int | None = row.cache_ttl_s
        self.scope: Scope | None = read_scope(row.scope)
        self.ended_by: str = row.ended_by or ""
