"""Health events as they came, each once; stored before they are acknowledged."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.findings import KnownFinding
from auto_healing.storage.models import finding as finding_table
from auto_healing.storage.models import inbox, intake
from common.contracts import Finding, HealthEvent
from common.database.connections import Database

_FINDING: TypeAdapter[Finding] = TypeAdapter(Finding)


def _keep() -> Insert:
    """What is known of a finding now, unless something newer is."""
    statement = insert(finding_table)
    replaced = ("uid", "cursor", "opened_at", "resolved_at", "object_score", "finding")
    return statement.on_conflict_do_update(
        index_elements=[finding_table.c[name] for name in ("code", "kind", "namespace", "name", "part")],
        set_={name: statement.excluded[name] for name in replaced},
        where=finding_table.c.cursor <= statement.excluded.cursor,
    )


_KEEP = _keep()
_TAKE = insert(inbox).on_conflict_do_nothing().returning(inbox.c.event_id)


class Inbox:
    """Takes events from any replica; the leader decides about them."""

    def __init__(self, database: Database, *, on_new: Callable[[int], None] = lambda count: None) -> None:
        self._database = database
        self._on_new = on_new
        self.arrived = asyncio.Event()  # set whenever something new was stored by this replica

    async def receive(self, events: Sequence[HealthEvent], now: datetime, *, read_up_to: int | None = None) -> int:
        """Store what is new; how many that are. `read_up_to`: the cursor up to which nothing was missed."""
        rows = [
            {
                "event_id": event.id,
                "cursor": event.cursor,
                "received_at": now,
                "event": event.model_dump(mode="json"),
            }
            for event in sorted(events, key=lambda each: each.id)  # one order for all, against deadlocks
        ]
        new = 0
        async with self._database.begin() as connection:
            if rows:
                stored = await connection.execute(_TAKE, rows)
                new = len(stored.all())
            if read_up_to is not None:
                await connection.execute(update(intake).values(cursor=read_up_to, heard_at=now))
        if new:
            self._on_new(new)
            self.arrived.set()
        return new

    async def read_up_to(self) -> tuple[int, datetime | None]:
        """The cursor up to which nothing was missed, and when that was last confirmed; None: never."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(intake.c.cursor, intake.c.heard_at))).one()
        return int(row.cursor), row.heard_at

    async def set_back(self, head: int, now: datetime) -> None:
        """The stream has begun anew and ends at `head`: what the former one told is older than all that comes now."""
        async with self._database.begin() as connection:
            await connection.execute(update(intake).values(cursor=head, heard_at=now))
            former = and_(inbox.c.decided_at.is_(None), inbox.c.cursor > head)
            await connection.execute(update(inbox).where(former).values(decided_at=now))
            await connection.execute(update(finding_table).where(finding_table.c.cursor > head).values(cursor=head))

    async def waiting(self, limit: int) -> list[HealthEvent]:
        """Events that no decision has taken into account yet, in the order of their cursors."""
        query = select(inbox.c.event).where(inbox.c.decided_at.is_(None)).order_by(inbox.c.cursor).limit(limit)
        async with self._database.begin() as connection:
            return [HealthEvent.model_validate(event) for event in (await connection.execute(query)).scalars()]

    async def known_findings(self) -> list[KnownFinding]:
        """What the events told so far."""
        async with self._database.begin() as connection:
            return [_known(row) for row in await connection.execute(select(finding_table))]


async def settle(
    connection: AsyncConnection, events: Sequence[HealthEvent], known: Sequence[KnownFinding], now: datetime
) -> None:
    """In the transaction of a decision: the events were taken into account, and this is what is known now."""
    if events:
        ids = [event.id for event in events]
        await connection.execute(update(inbox).where(inbox.c.event_id.in_(ids)).values(decided_at=now))
    latest = {each.key: each for each in known}
    if latest:
        await connection.execute(_KEEP, [_row(each) for each in latest.values()])


async def waiting_count(database: Database) -> int:
    async with database.begin() as connection:
        query = select(func.count()).select_from(inbox).where(inbox.c.decided_at.is_(None))
        return int((await connection.execute(query)).scalar_one())


def _row(known: KnownFinding) -> dict[str, Any]:
    code, key, part = known.key
    return {
        "code": code,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "part": part,
        "uid": known.finding.object.uid,
        "cursor": known.cursor,
        "opened_at": known.opened_at,
        "resolved_at": known.resolved_at,
        "object_score": known.object_score,
        "finding": _FINDING.dump_python(known.finding, mode="json"),
    }


def _known(row: Any) -> KnownFinding:
    return KnownFinding(
        finding=_FINDING.validate_python(row.finding),
        cursor=row.cursor,
        opened_at=row.opened_at,
        resolved_at=row.resolved_at,
        object_score=row.object_score,
    )
