"""The ledger: every decision, in order and for good. Appending, reading and searching it.

Whoever decides appends within the transaction that stores the decision, so that neither is there without the other.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, cast
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Row, Select, Text, select, text
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.storage.chain import COLUMNS, ChainedRow, framed, hash_of, json_text, storable
from auto_healing.storage.models import ledger, ledger_head
from auto_healing.storage.proof import Head, Link, Noted, Proof, prove
from common.contracts import ObjectKey
from common.contracts.objects import CLUSTER
from common.database.connections import Database

_NOBODY = ObjectKey(CLUSTER, "", "")
_PAGE = 1000  # entries that are read at once while exporting


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision, one step of carrying it out, or one word of a person.

    `event` says what happened, as proposed, declined, step-started or healed; `actor` is "policy", the service itself
    or a person's name. A refusal has its `guard`, its numbers in `data` and, under `look_again_at`, when it is looked
    at again.
    """

    event: str
    at: datetime
    actor: str
    object: ObjectKey = _NOBODY
    run_id: UUID | None = None
    code: str = ""
    action: str = ""
    outcome: str = ""
    guard: str = ""
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An entry as it is stored. `data_text` is the text that the hash covers."""

    seq: int
    at: datetime
    event: str
    run_id: UUID | None
    object: ObjectKey
    code: str
    action: str
    outcome: str
    actor: str
    guard: str
    message: str
    data_text: str
    hash: bytes

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "LedgerEntry":
        seq, at, event, run_id, kind, namespace, name, code, action, outcome, actor, guard, message, data, digest = row
        return cls(
            seq=seq,
            at=at,
            event=event,
            run_id=run_id,
            object=ObjectKey(kind, namespace, name),
            code=code,
            action=action,
            outcome=outcome,
            actor=actor,
            guard=guard,
            message=message,
            data_text=data,
            hash=bytes(digest),
        )

    @property
    def data(self) -> dict[str, Any]:
        return cast("dict[str, Any]", msgspec.json.decode(self.data_text))

    @property
    def chained(self) -> ChainedRow:
        """What its hash covers."""
        return ChainedRow(
            self.seq,
            self.at,
            self.event,
            self.run_id,
            *self.object,
            self.code,
            self.action,
            self.outcome,
            self.actor,
            self.guard,
            self.message,
            self.data_text,
        )

    @property
    def link(self) -> Link:
        """What proves it."""
        return self.seq, framed(self.chained), self.hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which entries; what is None lets everything through. `since` is included, `until` is not."""

    since: datetime | None = None
    until: datetime | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    event: str | None = None
    action: str | None = None
    outcome: str | None = None
    actor: str | None = None
    code: str | None = None
    guard: str | None = None
    run_id: UUID | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        equal = ("kind", "namespace", "name", "event", "action", "outcome", "actor", "code", "guard", "run_id")
        wanted = [ledger.c[name] == value for name in equal if (value := getattr(self, name)) is not None]
        if self.since is not None:
            wanted.append(ledger.c.at >= self.since)
        if self.until is not None:
            wanted.append(ledger.c.at < self.until)
        return wanted


# The lock is held until the caller commits: entries become visible in their order, and a rollback leaves no gap.
_LOCK = select(ledger_head.c.seq, ledger_head.c.hash).with_for_update()
# One JSON text for all: as arrays, the driver would spend ten times as long on them.
_TYPES = {"seq": "bigint", "at": "timestamptz", "run_id": "uuid", "hash": "text"}
_SHAPE = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in (*COLUMNS, "hash"))
_APPEND = text(f"""
    WITH appended AS (
        INSERT INTO ledger ({", ".join(COLUMNS)}, hash)
        SELECT {", ".join(COLUMNS[:-1])}, CAST(data AS json), decode(hash, 'hex')
        FROM json_to_recordset(CAST(:rows AS json)) AS entry ({_SHAPE})
    )
    UPDATE ledger_head SET seq = :seq, hash = :hash
""")  # noqa: S608
READ_ENTRIES = select(*(ledger.c[name] for name in COLUMNS[:-1]), sql_cast(ledger.c.data, Text), ledger.c.hash)


async def append(connection: AsyncConnection, entries: Sequence[Entry]) -> int:
    """Add entries at the end, within the caller's transaction; returns the seq of the last one, gap-free.

    Everybody else who appends waits until the caller commits: append as the last thing, and all at once.
    """
    seq, previous = (await connection.execute(_LOCK)).one()
    if not entries:
        return cast("int", seq)
    rows = []
    for number, entry in zip(count(seq + 1), entries, strict=False):
        row = _row(number, entry)
        previous = hash_of(previous, row)
        rows.append(row._asdict() | {"hash": previous.hex()})
    values = {"rows": msgspec.json.encode(rows).decode(), "seq": seq + len(rows), "hash": previous}
    await connection.execute(_APPEND, values)
    return cast("int", seq + len(rows))


def _row(seq: int, entry: Entry) -> ChainedRow:
    return ChainedRow(
        seq=seq,
        at=entry.at,
        event=storable(entry.event),
        run_id=entry.run_id,
        kind=storable(entry.object.kind),
        namespace=storable(entry.object.namespace),
        name=storable(entry.object.name),
        code=storable(entry.code),
        action=storable(entry.action),
        outcome=storable(entry.outcome),
        actor=storable(entry.actor),
        guard=storable(entry.guard),
        message=storable(entry.message),
        data=json_text(entry.data),
    )


class Ledger:
    """Reads the ledger, and proves it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._proving = asyncio.Lock()

    async def append(self, *entries: Entry) -> int:
        """In a transaction of its own, for what nothing else is stored with."""
        async with self._database.begin() as connection:
            return await append(connection, entries)

    async def search(self, where: Search, *, before: int | None = None, limit: int = 100) -> list[LedgerEntry]:
        """The newest first, from below the seq `before` on."""
        wanted = where.conditions()
        if before is not None:
            wanted.append(ledger.c.seq < before)
        return await self._read(READ_ENTRIES.where(*wanted).order_by(ledger.c.seq.desc()).limit(limit))

    async def after(self, seq: int, limit: int) -> list[LedgerEntry]:
        """What follows that entry, the oldest first."""
        return await self._read(READ_ENTRIES.where(ledger.c.seq > seq).order_by(ledger.c.seq).limit(limit))

    async def of_run(self, run_id: UUID) -> list[LedgerEntry]:
        """Everything about one run, in order."""
        return await self._read(READ_ENTRIES.where(ledger.c.run_id == run_id).order_by(ledger.c.seq))

    async def export(self, where: Search) -> AsyncIterator[list[LedgerEntry]]:
        """All that is there now, in order, in pages. No connection is held while a slow client reads."""
        last, head = 0, (await self.head()).seq
        while True:
            page = READ_ENTRIES.where(*where.conditions(), ledger.c.seq > last, ledger.c.seq <= head)
            found = await self._read(page.order_by(ledger.c.seq).limit(_PAGE))
            if found:
                yield found
            if len(found) < _PAGE:
                return
            last = found[-1].seq

    async def head(self) -> Head:
        """The newest entry's place and hash: noted elsewhere, it proves later that nothing before it was touched."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(ledger_head.c.seq, ledger_head.c.hash))).one()
        return Head(row.seq, bytes(row.hash))

    async def verify(self, noted: Noted | None = None) -> Proof:
        """Prove the whole chain, or what follows an entry whose hash was noted; one at a time."""
        async with self._proving, self._database.begin() as connection:
            return await prove(connection, noted)

    async def _read(self, statement: Select[Any]) -> list[LedgerEntry]:
        async with self._database.begin() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
        return [LedgerEntry.from_row(row) for row in rows]
