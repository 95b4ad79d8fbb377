"""The one MetaData, and the column types every room's tables share.

One file of tables per room stands beside this one; importing `tables` loads them all. Types are
portable: 64-bit integers on both SQLite and PostgreSQL, text, bytes. Money columns say their unit
in their name. This package knows tables only: no SQL statement, no business rule.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Text

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

# SQLite's INTEGER holds 64 bits, and only INTEGER PRIMARY KEY is the row's own address.
Int64 = BigInteger().with_variant(Integer(), "sqlite")


def integer(name: str, **options: Any) -> Column[int]:
    """A 64-bit integer column that is never NULL unless `nullable=True` is given."""
    return Column(name, Int64, nullable=options.pop("nullable", False), **options)


def text(name: str, **options: Any) -> Column[str]:
    """A text column that is never NULL unless `nullable=True` is given."""
    return Column(name, Text(), nullable=options.pop("nullable", False), **options)


def octets(name: str, **options: Any) -> Column[bytes]:
    """A byte string column that is never NULL unless `nullable=True` is given."""
    return Column(name, LargeBinary(), nullable=options.pop("nullable", False), **options)
