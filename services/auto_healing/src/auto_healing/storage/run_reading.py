"""Reading runs and their steps."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.past import HOLDING
from auto_healing.run import Run, RunState
from auto_healing.storage.models import run as run_table
from auto_healing.storage.models import step as step_table
from auto_healing.storage.run_rows import StoredStep, run_of, step_of
from common.database.connections import Database

# Everything that has to be carried out, or watched, or is waited for.
BEING_UNDONE = (run_table.c.undo_by != "") & run_table.c.state.in_(["verifying", "healed", "failed"])
UNFINISHED = run_table.c.state.in_([state.value for state in HOLDING]) | BEING_UNDONE


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs; what is None or empty lets everything through."""

    states: frozenset[RunState] = frozenset()
    rule: str | None = None
    action: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        equal = ("rule", "action", "kind", "namespace", "name")
        wanted = [run_table.c[name] == value for name in equal if (value := getattr(self, name)) is not None]
        if self.states:
            wanted.append(run_table.c.state.in_([state.value for state in self.states]))
        return wanted


class RunReader:
    """The stored runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, run_id: UUID) -> Run | None:
        found = await self._read(select(run_table).where(run_table.c.id == run_id))
        return found[0] if found else None

    async def steps(self, run_id: UUID) -> list[StoredStep]:
        """In order."""
        async with self._database.begin() as connection:
            return await _steps(connection, run_id)

    async def with_steps(self, run_id: UUID) -> tuple[Run, list[StoredStep]] | None:
        """Both of one instant."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(run_table).where(run_table.c.id == run_id))).first()
            return None if row is None else (run_of(row._asdict()), await _steps(connection, run_id))

    async def search(
        self, where: RunFilter, *, before: tuple[datetime, UUID] | None = None, limit: int = 100
    ) -> list[Run]:
        """The newest first, from after the position `before` (created_at, id) on."""
        wanted = where.conditions()
        if before is not None:
            wanted.append(tuple_(run_table.c.created_at, run_table.c.id) < before)
        newest = select(run_table).where(*wanted).order_by(run_table.c.created_at.desc(), run_table.c.id.desc())
        return await self._read(newest.limit(limit))

    async def many(self, ids: Collection[UUID]) -> list[Run]:
        """In no order; those that there are."""
        return await self._read(select(run_table).where(run_table.c.id.in_(ids))) if ids else []

    async def unfinished(self) -> dict[UUID, tuple[datetime, str]]:
        """All that hold their target or are being undone: what tells whether one has changed since it was read."""
        found = select(run_table.c.id, run_table.c.updated_at, run_table.c.undo_by).where(UNFINISHED)
        async with self._database.begin() as connection:
            return {id_: (updated_at, undo_by) for id_, updated_at, undo_by in await connection.execute(found)}

    async def _read(self, statement: Select[Any]) -> list[Run]:
        async with self._database.begin() as connection:
            return [run_of(row._asdict()) for row in await connection.execute(statement)]


async def _steps(connection: AsyncConnection, run_id: UUID) -> list[StoredStep]:
    of_run = select(step_table).where(step_table.c.run_id == run_id).order_by(step_table.c.number)
    return [step_of(row._asdict()) for row in await connection.execute(of_run)]
