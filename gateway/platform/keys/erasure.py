"""Erasure, the part of keys: they end, and nothing of them says whose they were.

A key's name is its owner's words, its bounds hold addresses, and its digest would still recognise
its text: all three go. Its row stays for its number and id, which the request log refers to.
"""

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from sqlalchemy import Connection, or_, select, update

from gateway.platform.keys.ring import KEY_PREFIX
from gateway.store.schema.keys import api_keys

NAMELESS: Final = "-"
DIGEST_BYTES: Final = 32


class Ended(NamedTuple):
    """A key that ended, by the digest that the ring still finds it by."""

    no: int
    digest: bytes


def erase_keys(
    connection: Connection,
    account_nos: Collection[int],
    key_nos: Collection[int],
    now_us: int,
    random: Callable[[int], bytes],
) -> list[Ended]:
    """Inside a transaction: end and blank the keys of accounts, and others by number.

    Take them out of the ring once that is durable.
    """
    columns = api_keys.c
    query = select(columns.no, columns.digest, columns.revoked_us, columns.ended_by).where(
        or_(columns.account_no.in_(account_nos), columns.no.in_(key_nos)),
        columns.prefix != KEY_PREFIX,  # not those that were blanked before
    )
    ended = []
    for row in connection.execute(query).all():
        ended.append(Ended(row.no, bytes(row.digest)))
        connection.execute(
            update(api_keys)
            .where(columns.no == row.no)
            .values(
                name=NAMELESS,
                prefix=KEY_PREFIX,
                digest=random(DIGEST_BYTES),
                scope=None,
                cache_ttl_s=None,
                revoked_us=row.revoked_us if row.revoked_us is not None else now_us,
                ended_by=row.ended_by or "revoked",
            )
        )
    return ended
