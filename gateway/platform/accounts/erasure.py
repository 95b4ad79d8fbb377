"""Erasure, the part of accounts: what is known of a person is taken out of every table here.

Inside the caller's transaction, and idempotent. What stays is a closed account: its number and id,
which the ledger, the log and the audit log refer to, its role `member`, and an address that is
nobody's. Other rooms have their own part; `platform.erasure` calls them all.
"""

from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, delete, select

from gateway.platform.accounts.accounts import Account, Accounts
from gateway.store.schema.accounts import (
    agreements,
    credentials,
    mail_links,
    profiles,
    sign_in_links,
    sign_ups,
)
from gateway.store.schema.ages import age_proofs, guardian_consents
from gateway.store.schema.sessions import (
    devices,
    factors,
    identities,
    recovery_codes,
    sessions,
)
from gateway.store.secrets import Secrets

# Every table of which all rows of an account go. A new table of a person's stands here, or fails
# the test that compares this list with the schema.
OWNED: Final[tuple[Table, ...]] = (
    *(credentials, profiles, agreements, sign_in_links, mail_links),
    *(sessions, devices, factors, recovery_codes, identities),
    *(guardian_consents, age_proofs),
)


class Erased(NamedTuple):
    """What went: rows by table, the ids of the sessions that ended, and the address that stands."""

    rows: dict[str, int]
    session_ids: list[str]
    address: str


def erase_person(
    connection: Connection, accounts: Accounts, secrets: Secrets, account: Account, email: str
) -> Erased:
    """Delete all that is a person's, and close the account. `email` is the address it had."""
    ended = list(
        connection.scalars(select(sessions.c.id).where(sessions.c.account_no == account.no))
    )
    rows = {
        table.name: connection.execute(
            delete(table).where(table.c.account_no == account.no)
        ).rowcount
        for table in OWNED
    }
    rows["sign_ups"] = _forget_sign_ups(connection, secrets, email)
    rows["sessions"] += _forget_steps(connection, secrets, email)
    return Erased(rows, ended, accounts.close(connection, account))


def _forget_sign_ups(connection: Connection, secrets: Secrets, email: str) -> int:
    """Sign-ups of the address that nobody has confirmed; only their sealed text names it."""
    found = [
        row.digest
        for row in connection.execute(select(sign_ups.c.digest, sign_ups.c.sealed))
        if secrets.unseal(row.sealed, table="sign_ups", row=row.digest.hex()) == email
    ]
    for digest in found:
        connection.execute(delete(sign_ups).where(sign_ups.c.digest == digest))
    return len(found)


def _forget_steps(connection: Connection, secrets: Secrets, email: str) -> int:
    """Sessions that came back from another site with the address, and have no account yet."""
    columns = sessions.c
    query = select(columns.digest, columns.id, columns.context_sealed).where(
        columns.account_no.is_(None), columns.context_sealed.is_not(None)
    )
    found = []
    for row in connection.execute(query):
        text = secrets.unseal(row.context_sealed, table="sessions", row=f"{row.id} context")
        context = msgspec.json.decode(text or "{}", type=dict[str, object])
        if str(context.get("email", "")).lower() == email:
            found.append(row.digest)
    for digest in found:
        connection.execute(delete(sessions).where(columns.digest == digest))
    return len(found)
