"""The kinds of columns that every table is made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Text

metadata = MetaData()


def text_column(name: str, *, nullable: bool = False) -> Column[str]:
    """Text that compares by octets."""
    octets = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, octets, nullable=nullable)


def octets_column(name: str, *, nullable: bool = False) -> Column[bytes]:
    """Octets."""
    return Column(name, LargeBinary, nullable=nullable)


def number_column(name: str, *, nullable: bool = False) -> Column[int]:
    """A 64-bit number: instants, sequences."""
    return Column(name, BigInteger, nullable=nullable, autoincrement=False)


def epoch_column() -> Column[int]:
    """An expiry month (`kernel.month`)."""
    return Column("epoch", Integer, nullable=False, autoincrement=False)


def shard_column() -> Column[int]:
    """The number of a CRL shard; 0 is the complete list."""
    return Column("shard", Integer, nullable=False, autoincrement=False)
