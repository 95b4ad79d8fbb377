"""Which sessions still are: asked once a second for all that something hangs on, in one read."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from gateway.store.schema.accounts import accounts
from gateway.store.schema.sessions import sessions

_AT_ONCE = 500


def alive(connection: Connection, ids: Collection[str], now_us: int) -> set[str]:
    """Those of these session ids that are open, not over, and of an active account."""
    columns = sessions.c
    found: set[str] = set()
    wanted = list(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        query = (
            select(columns.id)
            .join(accounts, accounts.c.no == columns.account_no)
            .where(
                columns.id.in_(wanted[start : start + _AT_ONCE]),
                columns.stage == "open",
                columns.expires_us > now_us,
                accounts.c.state == "active",
            )
        )
        found.update(connection.scalars(query))
    return found
