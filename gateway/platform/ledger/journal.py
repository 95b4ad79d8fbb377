"""The journal: an append-only chain of transfers.

One row is one transfer, from the account it debits to the account it credits, by one amount: so
the postings of every transaction sum to zero by the form of the row, and no check can be
forgotten. Rows are numbered without gaps; each carries SHA-256(hash before || its own canonical
bytes), so changing, removing, inserting or swapping rows breaks the chain from there on. The pair
(transaction id, leg) is unique: it is the idempotency key of whatever moved the money. The
database's triggers refuse UPDATE and DELETE; a correction is a new transaction naming the old.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, literal_column, select

from gateway.base.money import MAX_MICROUSD, MoneyError
from gateway.store.bulk import Bulk, bulk_insert
from gateway.store.schema.ledger import ledger_entries

GENESIS = bytes(32)
MAX_TEXT = 200
FIELDS = (
    "seq", "transaction_id", "leg", "kind", "debit_no", "credit_no", "amount_microusd", "at_us",
    "corrects", "memo", "hash",
)  # fmt: skip
_insert = bulk_insert(ledger_entries, FIELDS)
_insert_plain = bulk_insert(ledger_entries, (*FIELDS[:8], "hash"))
_sha256 = hashlib.sha256


class TransactionConflict(MoneyError):
    """A transaction id was used before for something else; nothing was moved."""


class Transfer(NamedTuple):
    """One movement of money: `amount_microusd` from `debit_no` to `credit_no`."""

    transaction_id: str
    leg: int
    kind: str
    debit_no: int
    credit_no: int
    amount_microusd: int
    at_us: int
    corrects: str | None = None
    memo: str | None = None


class Head(NamedTuple):
    """The end of the chain: the last row's number and hash; (0, 32 zero bytes) when empty."""

    seq: int
    hash: bytes


# Compiled once: at small batches Core's execution would cost more than the rest of the append.
_NEWEST = str(
    select(ledger_entries.c.seq, ledger_entries.c.hash)
    .order_by(ledger_entries.c.seq.desc())
    .limit(literal_column("1"))
)


def head(connection: Connection) -> Head:
    """Read the end of the chain; anew in each transaction, so a rollback cannot leave it wrong."""
    cursor = connection.connection.cursor()
    cursor.execute(_NEWEST)
    row = cursor.fetchone()
    cursor.close()
    return Head(0, GENESIS) if row is None else Head(row[0], bytes(row[1]))


def digest(
    previous: bytes,
    seq: object,
    transaction_id: str,
    leg: object,
    kind: str,
    debit_no: object,
    credit_no: object,
    amount_microusd: object,
    at_us: object,
    corrects: str | None = None,
    memo: str | None = None,
) -> bytes:
    """SHA-256 of the previous hash and a row's canonical bytes.

    Numbers are decimal and comma-separated, texts are preceded by their length, and an absent text
    is a lone dash, so no two different rows have the same bytes.
    """
    line = (
        f"{seq},{leg},{debit_no},{credit_no},{amount_microusd},{at_us},"
        f"{len(kind)}:{kind}{len(transaction_id)}:{transaction_id}"
    )
    if corrects is None and memo is None:
        line += "--"
    else:
        line += "-" if corrects is None else f"{len(corrects)}:{corrects}"
        line += "-" if memo is None else f"{len(memo)}:{memo}"
    return _sha256(previous + line.encode("utf-8", "surrogatepass")).digest()


def append(connection: Connection, transfers: Iterable[Transfer | tuple[Any, ...]]) -> Head:
    """Append transfers in order; returns the new end of the chain.

    A plain tuple in the order of Transfer's fields will do. Raises MoneyError for an amount that
    is not positive or out of bounds, and the database's IntegrityError for a (transaction id, leg)
    that exists.
    """
    return _append(connection, transfers, _insert)


def append_plain(connection: Connection, transfers: Iterable[tuple[Any, ...]]) -> Head:
    """`append` for transfers that correct nothing and have no memo: Transfer's first seven fields.

    Every request passes here, so what is absent is left out of the statement.
    """
    return _append(connection, transfers, _insert_plain)


def _append(connection: Connection, transfers: Iterable[tuple[Any, ...]], insert: Bulk) -> Head:
    """Chain the transfers and insert them by a statement over their fields."""
    seq, previous = head(connection)
    flat: list[Any] = []
    for transfer in transfers:
        amount = transfer[5]
        if type(amount) is not int or not 0 < amount <= MAX_MICROUSD:
            raise MoneyError("a transfer moves a positive amount")
        seq += 1
        previous = digest(previous, seq, *transfer)
        flat.append(seq)
        flat += transfer
        flat.append(bytearray(previous))  # bytes would go through the driver's adapters
    insert.run(connection, flat)
    return Head(seq, previous)


def find(connection: Connection, transaction_id: str) -> list[Row[Any]]:
    """The rows of one transaction, in the order of their legs."""
    table = ledger_entries
    query = select(table).where(table.c.transaction_id == transaction_id).order_by(table.c.leg)
    return list(connection.execute(query))


def check_text(text: str, what: str) -> str:
    """Return a text fit for the journal, or raise MoneyError: printable, 1 to 200 characters."""
    if not 1 <= len(text) <= MAX_TEXT or not text.isprintable():
        raise MoneyError(f"{what} must be 1 to {MAX_TEXT} printable characters")
    return text
