"""Leased changes as they are stored: what was changed for a while, until when, and how it is taken back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, Row, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from auto_healing.actions.action import Change
from auto_healing.leased import ChangeState, LeasedChange, RunBrief
from auto_healing.plan import BY_HAND
from auto_healing.run import SERVICE, RunState
from auto_healing.storage.fence import fenced
from auto_healing.storage.ledger import Entry, append
from auto_healing.storage.models import change as table
from auto_healing.storage.models import run
from common.contracts import ObjectRef
from common.database.connections import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFilter:
    """Which changes; what is None lets everything through."""

    state: ChangeState | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        columns = ("state", "kind", "namespace", "name")
        return [table.c[name] == value for name in columns if (value := getattr(self, name)) is not None]


class Changes:
    """Every method raises DatabaseError when PostgreSQL is away; what takes an epoch raises Deposed when it is over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease(self, change: Change, *, run_id: UUID, epoch: int | None, now: datetime) -> UUID:
        """Store a change before it is made. The same change of the same run again is the same one, held anew."""
        place = "/".join((*change.target.key, change.target.uid, *change.path))
        row = _row_of(change) | {"id": uuid5(run_id, place), "run_id": run_id, "made_at": now}
        statement = insert(table).values(row | {"state": ChangeState.HELD, "reason": ""})
        again = {
            "state": ChangeState.HELD,
            "until": func.greatest(table.c.until, change.until),
            "ended_at": None,
            "reason": "",
        }
        entry = Entry(
            event="change-leased",
            at=now,
            object=change.target.key,
            run_id=run_id,
            actor=SERVICE,
            message=change.what,
            data={"change": str(row["id"]), "path": list(change.path), "until": change.until.isoformat()}
            | {"before": change.before, "after": change.after},
        )
        async with fenced(self._database, epoch) as connection:
            await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=again))
            await append(connection, [entry])
        return UUID(str(row["id"]))

    async def release(self, change_id: UUID, *, epoch: int | None, now: datetime) -> None:
        """It was taken back by its run; one that has ended already stays as it is."""
        await self.end(change_id, ChangeState.RETURNED, "taken back by its run", epoch=epoch, now=now)

    async def end(self, change_id: UUID, state: ChangeState, reason: str, *, epoch: int | None, now: datetime) -> bool:
        """Close a held change; False when it is not held."""
        ended = {"state": state, "reason": reason, "ended_at": now}
        return await self._change(change_id, ended, f"change-{state}", reason, epoch=epoch, now=now)

    async def returning(self, held: LeasedChange, reason: str, *, epoch: int | None, now: datetime) -> None:
        """Write down that it is about to be taken back, before the cluster is written to."""
        await self.note(_entry(held, "change-returning", reason, now=now), epoch=epoch)

    async def ask_return(self, change_id: UUID, *, actor: str, reason: str, now: datetime) -> bool:
        """Let it be due now: the leader takes it back at its next look. False when it is not held."""
        return await self._change(change_id, {"until": now}, "change-return-asked", reason, now=now, actor=actor)

    async def extend(self, change_id: UUID, until: datetime, *, actor: str, reason: str, now: datetime) -> bool:
        """Hold it until another instant. False when it is not held."""
        return await self._change(change_id, {"until": until}, "change-extended", reason, now=now, actor=actor)

    async def note(self, *entries: Entry, epoch: int | None) -> None:
        """Entries of the ledger about changes that have no row here, such as a cordon whose run is unknown."""
        async with fenced(self._database, epoch) as connection:
            await append(connection, entries)

    async def held(self) -> Sequence[LeasedChange]:
        """All that are held, the first to end first."""
        return await self._find(table.c.state == ChangeState.HELD)

    async def due(self, now: datetime) -> Sequence[LeasedChange]:
        """Those whose time is over, the longest overdue first."""
        return await self._find((table.c.state == ChangeState.HELD) & (table.c.until <= now))

    async def get(self, change_id: UUID) -> LeasedChange | None:
        found = await self._find(table.c.id == change_id)
        return found[0] if found else None

    async def list(
        self, where: ChangeFilter, *, before: tuple[datetime, UUID] | None = None, limit: int = 100
    ) -> Sequence[LeasedChange]:
        """Newest first; `before` is the place of the last one of the page before."""
        wanted = where.conditions()
        if before is not None:
            wanted.append(tuple_(table.c.made_at, table.c.id) < tuple_(*map(literal, before)))
        order = (table.c.made_at.desc(), table.c.id.desc())
        async with self._database.begin() as connection:
            found = await connection.execute(select(table).where(*wanted).order_by(*order).limit(limit))
            return [_leased(row) for row in found]

    async def runs(self, ids: Collection[UUID | None]) -> Mapping[UUID, RunBrief]:
        """Of these runs, those that are known."""
        statement = select(run.c.id, run.c.state, run.c.rule).where(run.c.id.in_(ids))
        async with self._database.begin() as connection:
            found = await connection.execute(statement)
            return {row.id: RunBrief(state=RunState(row.state), by_hand=row.rule == BY_HAND) for row in found}

    async def _find(self, which: ColumnElement[bool]) -> Sequence[LeasedChange]:
        async with self._database.begin() as connection:
            found = await connection.execute(select(table).where(which).order_by(table.c.until, table.c.id))
            return [_leased(row) for row in found]

    async def _change(
        self,
        change_id: UUID,
        values: Mapping[str, Any],
        event: str,
        reason: str,
        *,
        now: datetime,
        epoch: int | None = None,
        actor: str = SERVICE,
    ) -> bool:
        held = (table.c.id == change_id) & (table.c.state == ChangeState.HELD)
        async with fenced(self._database, epoch) as connection:
            found = (await connection.execute(update(table).where(held).values(values).returning(table))).one_or_none()
            if found is not None:
                await append(connection, [_entry(_leased(found), event, reason, now=now, actor=actor)])
        return found is not None


def _entry(held: LeasedChange, event: str, reason: str, *, now: datetime, actor: str = SERVICE) -> Entry:
    return Entry(
        event=event,
        at=now,
        object=held.key,
        run_id=held.run_id,
        actor=actor,
        message=reason,
        data={"change": str(held.id), "what": held.change.what, "until": held.change.until.isoformat()},
    )


def _row_of(change: Change) -> dict[str, Any]:
    target = change.target
    return {
        **target.key._asdict(),
        "uid": target.uid,
        "what": change.what,
        "path": list(change.path),
        "before": change.before,
        "after": change.after,
        "until": change.until,
    }


def _leased(row: Row[Any]) -> LeasedChange:
    target = ObjectRef(kind=row.kind, namespace=row.namespace, name=row.name, uid=row.uid)
    return LeasedChange(
        id=row.id,
        run_id=row.run_id,
        change=Change(
            target=target,
            what=row.what,
            path=tuple(row.path),
            before=row.before,
            after=row.after,
            until=row.until,
        ),
        made_at=row.made_at,
        state=ChangeState(row.state),
        ended_at=row.ended_at,
        reason=row.reason,
    )
