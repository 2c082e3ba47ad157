"""Cleanup's memory: what was found unused, for how many looks in a row, and what each rule's last look found."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, delete, func, select, true, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.storage.fence import fenced
from auto_healing.storage.ledger import Entry, append
from auto_healing.storage.models import cleanup as looks
from auto_healing.storage.models import tombstone as table
from common.contracts import ObjectKey, ObjectRef
from common.database.connections import Database

SERVICE = "auto_healing"  # the actor of what happens by itself
AT_ONCE = 500  # objects in one transaction
_TOLD = "may go: its owner was told"
_LOST = "is used again, gone, or cannot be proven unused any more"
_KEY = ("rule", "kind", "namespace", "name", "uid")

T = TypeVar("T")
Position = tuple[str, str, str, str, str]


class Asked(StrEnum):
    """What a person wants of a rule now, which the leader has yet to do."""

    SCAN = "scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """One object that a rule found unused. It may go from `due_at` on; null: not yet found often and long enough."""

    rule: str
    ref: ObjectRef
    reason: str
    scans: int
    first_seen_at: datetime
    last_seen_at: datetime
    told: bool
    due_at: datetime | None

    @property
    def position(self) -> Position:
        return (self.rule, *self.ref.key, self.ref.uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ripening:
    """When what is marked becomes due. What acts waits until the owner was told, what observes does not."""

    scans: int
    grace: timedelta
    acts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLook:
    """What a rule found last, as JSON, and what is asked of it."""

    looked_at: datetime | None
    result: Mapping[str, Any] | None
    asked: Asked | None
    asked_by: str


class Tombstones:
    """Every method raises DatabaseError when PostgreSQL is away; what takes an epoch raises Deposed when it is over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, rule: str) -> list[Tombstone]:
        return await self._read(table.c.rule == rule)

    async def due(self, rule: str, namespace: str, by: datetime) -> list[Tombstone]:
        """Those that their owners were told of and whose time had come at an instant."""
        return await self._read(
            and_(table.c.rule == rule, table.c.namespace == namespace, table.c.told, table.c.due_at <= by)
        )

    async def page(
        self, *, rule: str | None = None, namespace: str | None = None, after: Position | None = None, limit: int = 100
    ) -> list[Tombstone]:
        """In the order of rule and object, from behind a position on."""
        wanted: list[ColumnElement[bool]] = [true()]
        wanted += [table.c.rule == rule] if rule is not None else []
        wanted += [table.c.namespace == namespace] if namespace is not None else []
        wanted += [tuple_(*(table.c[name] for name in _KEY)) > tuple_(*after)] if after is not None else []
        return await self._read(and_(*wanted), limit=limit)

    async def seen(
        self,
        rule: str,
        found: Sequence[tuple[ObjectRef, str]],
        *,
        at: datetime,
        ripening: Ripening,
        epoch: int | None,
    ) -> None:
        """One more look: what it found counts one more, what it did not find is forgotten.

        What is new, and what is forgotten, is in the ledger. Some hundreds go into one transaction, since all others
        who write into the ledger wait for it.
        """
        uids = {ref.uid for ref, _ in found}
        before = {stone.ref.uid: stone for stone in await self.of(rule)}
        lost = [stone.ref for uid, stone in before.items() if uid not in uids]
        for refs in _some(lost):
            async with fenced(self._database, epoch) as connection:
                await connection.execute(
                    delete(table).where(table.c.rule == rule, table.c.uid.in_([ref.uid for ref in refs]))
                )
                await append(connection, [_entry("unmarked", rule, ref.key, _LOST, at) for ref in refs])
        for seen in _some(found):
            new = [_entry("marked", rule, ref.key, why, at) for ref, why in seen if ref.uid not in before]
            async with fenced(self._database, epoch) as connection:
                await _count(connection, rule, seen, at)
                if new:
                    await append(connection, new)
        async with fenced(self._database, epoch) as connection:
            await connection.execute(_ripen(rule, at, ripening))

    async def told(self, rule: str, refs: Collection[ObjectRef], *, at: datetime, epoch: int | None) -> None:
        """Their owners know since now, and the time of grace begins with it."""
        for some in _some(list(refs)):
            async with fenced(self._database, epoch) as connection:
                await connection.execute(
                    update(table)
                    .where(table.c.rule == rule, table.c.uid.in_([ref.uid for ref in some]))
                    .values(told=True, first_seen_at=at, due_at=None)
                )
                await append(
                    connection, [_entry("told", rule, ref.key, "may go: its owner was told", at) for ref in some]
                )

    async def looked(self, rule: str, result: Mapping[str, Any], *, at: datetime, epoch: int | None) -> None:
        """Keep what came of a look, for whoever asks, also another replica. It was asked for no longer."""
        values = {"looked_at": at, "result": result, "asked": None, "asked_by": None, "asked_at": None}
        await self._note(rule, values, epoch)

    async def failed(self, rule: str, result: Mapping[str, Any], *, epoch: int | None) -> None:
        """Keep why a look failed. It does not count as one; a person's wish ends with it."""
        values = {"result": result, "asked": None, "asked_by": None, "asked_at": None}
        await self._note(rule, values, epoch)

    async def ask(self, rule: str, what: Asked, *, by: str, at: datetime) -> None:
        """A person's wish, which the leader finds at its next look."""
        values = {"asked": what, "asked_by": by, "asked_at": at}
        async with fenced(self._database, None) as connection:
            await connection.execute(_noting(rule, values))
            message = "is asked to look now"
            await append(connection, [Entry(event="scan-asked", at=at, action=rule, actor=by, message=message)])

    async def last_looks(self) -> dict[str, LastLook]:
        async with self._database.begin() as connection:
            rows = await connection.execute(select(looks))
            return {
                row.rule: LastLook(
                    looked_at=row.looked_at,
                    result=row.result,
                    asked=Asked(row.asked) if row.asked else None,
                    asked_by=row.asked_by or "",
                )
                for row in rows
            }

    async def _note(self, rule: str, values: Mapping[str, Any], epoch: int | None) -> None:
        async with fenced(self._database, epoch) as connection:
            await connection.execute(_noting(rule, values))

    async def _read(self, where: ColumnElement[bool], *, limit: int | None = None) -> list[Tombstone]:
        statement = select(table).where(where).order_by(*(table.c[name] for name in _KEY)).limit(limit)
        async with self._database.begin() as connection:
            return [_tombstone(row) for row in await connection.execute(statement)]


def _noting(rule: str, values: Mapping[str, Any]) -> Any:
    return insert(looks).values(rule=rule, **values).on_conflict_do_update(index_elements=["rule"], set_=dict(values))


async def _count(connection: AsyncConnection, rule: str, found: Sequence[tuple[ObjectRef, str]], at: datetime) -> None:
    rows = [
        {**ref.key._asdict(), "uid": ref.uid, "rule": rule, "reason": reason, "first_seen_at": at, "last_seen_at": at}
        | {"scans": 1, "told": False}
        for ref, reason in found
    ]
    statement = insert(table)
    again = {
        "scans": table.c.scans + 1,
        "first_seen_at": func.least(table.c.first_seen_at, statement.excluded.first_seen_at),  # the clock was set back
        "last_seen_at": statement.excluded.last_seen_at,
        "reason": statement.excluded.reason,
    }
    if rows:
        await connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=again), rows)


def _some(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]


def _ripen(rule: str, at: datetime, ripening: Ripening) -> Any:
    ready = and_(
        table.c.rule == rule,
        table.c.due_at.is_(None),
        table.c.scans >= ripening.scans,
        table.c.first_seen_at <= at - ripening.grace,
    )
    return update(table).where(ready, table.c.told if ripening.acts else true()).values(due_at=at)


def _entry(event: str, rule: str, key: ObjectKey, why: str, at: datetime) -> Entry:
    return Entry(event=event, at=at, object=key, action=rule, actor=SERVICE, message=f"{key} {why}")


def _tombstone(row: Any) -> Tombstone:
    return Tombstone(
        rule=row.rule,
        ref=ObjectRef(kind=row.kind, namespace=row.namespace, name=row.name, uid=row.uid),
        reason=row.reason,
        scans=row.scans,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        told=row.told,
        due_at=row.due_at,
    )
