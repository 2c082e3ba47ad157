"""Monthly and daily partitions: their names and bounds, and making them. Whoever writes makes what it needs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from health_monitor.storage.models import SCHEMA

_NAME = re.compile(r"_y(\d{4})m(\d{2})(?:d(\d{2}))?$")


class Partitioned(StrEnum):
    """The tables that are partitioned by time."""

    EVENT = "event"
    DELIVERY = "delivery"
    SCORE = "score"


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One partition, from the start of `first` (UTC) to the start of `end`."""

    table: Partitioned
    first: date
    end: date

    @classmethod
    def holding(cls, table: Partitioned, at: datetime) -> "Partition":
        """The partition for rows of that instant: a day of scores, a month of anything else."""
        day = at.astimezone(UTC).date()
        if table is Partitioned.SCORE:
            return cls(table, day, day + timedelta(days=1))
        first = day.replace(day=1)
        return cls(table, first, (first + timedelta(days=32)).replace(day=1))

    @classmethod
    def named(cls, name: str) -> "Partition | None":
        """The partition of a table's name; None when it is not one of ours."""
        found = _NAME.search(name)
        if found is None or name[: found.start()] not in set(Partitioned):
            return None
        year, month, day = found.groups()
        at = datetime(int(year), int(month), int(day or 1), tzinfo=UTC)
        return cls.holding(Partitioned(name[: found.start()]), at)

    @property
    def name(self) -> str:
        day = f"d{self.first.day:02}" if self.table is Partitioned.SCORE else ""
        return f"{self.table}_y{self.first.year}m{self.first.month:02}{day}"

    @property
    def qualified(self) -> str:
        """For SQL text; made of nothing but digits and our own words."""
        return f"{SCHEMA}.{self.name}"

    @property
    def starts_at(self) -> datetime:
        return _midnight(self.first)

    @property
    def ends_at(self) -> datetime:
        return _midnight(self.end)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def create(connection: AsyncConnection, partitions: Iterable[Partition]) -> None:
    """Create those that do not exist yet. Two replicas that do so at once take turns."""
    await take_turn(connection)
    for each in partitions:
        await connection.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS {each.qualified} PARTITION OF {SCHEMA}.{each.table} "
                f"FOR VALUES FROM ('{each.starts_at.isoformat()}') TO ('{each.ends_at.isoformat()}')"
            )
        )


async def existing(connection: AsyncConnection, table: Partitioned) -> list[Partition]:
    """The table's partitions, oldest first."""
    names = await connection.scalars(
        text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = to_regclass(:parent)"
        ),
        {"parent": f"{SCHEMA}.{table}"},
    )
    return sorted(each for name in names if (each := Partition.named(name)) is not None)


async def take_turn(connection: AsyncConnection) -> None:
    """Let one transaction at a time change partitions; the others wait until it ends."""
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"{SCHEMA} partitions"}
    )
