"""Columns and tables that every service's schema is made of."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, MetaData, SmallInteger, Table, Text


def instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def string(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, primary_key=primary_key)


def object_key(*, primary_key: bool = False) -> list[Column[str]]:
    """The three columns that name an object."""
    return [string(name, primary_key=primary_key) for name in ("kind", "namespace", "name")]


def only_row() -> tuple[Column[int], CheckConstraint]:
    """What keeps a table at one row: its id is 1."""
    return Column("id", SmallInteger, primary_key=True, autoincrement=False), CheckConstraint("id = 1", name="single")


def epochs_table(name: str, metadata: MetaData) -> Table:
    """One row: who leads. Whoever writes with an epoch that is over is refused."""
    return Table(name, metadata, *only_row(), Column("epoch", BigInteger, nullable=False), string("holder"))


def election_table(metadata: MetaData) -> Table:
    """One row: the lock of replicas that run without a Kubernetes Lease."""
    return Table("election", metadata, *only_row(), string("holder"), instant("expires_at"))
