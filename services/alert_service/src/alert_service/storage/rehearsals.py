"""Rehearsals and canaries, each with its report of what arrived when."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, desc, exists, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.channels.channel import MessageRef
from alert_service.routing.wanted import DeliveryState, NotifyReason
from alert_service.storage.models import click, delivery, inbox, rehearsal
from common.database.connections import Database

_POLL_SECONDS = 0.3
_NEWEST_FIRST = select(rehearsal).order_by(desc(rehearsal.c.started_at), desc(rehearsal.c.id))


class RehearsalKind(StrEnum):
    """What was tried."""

    REHEARSAL = "rehearsal"  # every card on every channel, buttons, an escalation
    CANARY = "canary"  # one message through the whole path


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One of them. While it goes on `ended_at` and `passed` are None."""

    id: UUID
    kind: RehearsalKind
    started_at: datetime
    ended_at: datetime | None
    passed: bool | None
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How far a message got, that was queued to be timed."""

    channel: str
    state: DeliveryState
    ended_at: datetime | None  # when the vendor took it
    message_id: str
    error: str


class Rehearsals:
    """All that are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, kind: RehearsalKind, at: datetime) -> UUID:
        made = uuid4()
        values = {"id": made, "kind": kind, "started_at": at, "report": {}}
        async with self._database.begin() as connection:
            await connection.execute(rehearsal.insert().values(values))
        return made

    async def end(self, made: UUID, *, at: datetime, passed: bool, report: Mapping[str, Any]) -> None:
        values = {"ended_at": at, "passed": passed, "report": report}
        async with self._database.begin() as connection:
            await connection.execute(update(rehearsal).where(rehearsal.c.id == made).values(values))

    async def get(self, made: UUID) -> Kept | None:
        async with self._database.begin() as connection:
            row = (await connection.execute(select(rehearsal).where(rehearsal.c.id == made))).first()
        return None if row is None else _kept(row)

    async def list(
        self, limit: int, *, kind: RehearsalKind | None = None, before: tuple[datetime, UUID] | None = None
    ) -> Sequence[Kept]:
        """The newest first, from the one after `before` on."""
        query = _NEWEST_FIRST.limit(limit)
        if kind is not None:
            query = query.where(rehearsal.c.kind == kind)
        if before is not None:
            query = query.where(tuple_(rehearsal.c.started_at, rehearsal.c.id) < before)
        async with self._database.begin() as connection:
            return [_kept(row) for row in await connection.execute(query)]

    async def last(self, kind: RehearsalKind) -> Kept | None:
        """The newest of a kind, whether it has ended or not."""
        return next(iter(await self.list(1, kind=kind)), None)

    async def sent(self, reason: NotifyReason, queued_at: datetime) -> Sequence[Sent]:
        """The messages of this reason that were queued at this very time."""
        query = select(delivery).where(delivery.c.reason == reason, delivery.c.queued_at == queued_at)
        async with self._database.begin() as connection:
            return [_sent(row) for row in await connection.execute(query)]

    async def worked_off(self, key: str) -> bool:
        """Whether what came in under this key waits no more."""
        waits = select(inbox.c.id).where(inbox.c.done_at.is_(None), inbox.c.key == key)
        async with self._database.begin() as connection:
            return not await connection.scalar(select(exists(waits)))

    async def pressed(self, ref: MessageRef, seconds: float) -> str:
        """Waits so long for a press of a message's button; who it was, as Slack calls them, or empty."""
        query = select(click.c.payload).where(
            click.c.payload["conversation"].astext == ref.conversation, click.c.payload["message_id"].astext == ref.id
        )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            async with self._database.begin() as connection:
                found = (await connection.execute(query.limit(1))).scalar_one_or_none()
            if found is not None:
                return str(found.get("user_name") or found.get("user_id") or "somebody")
            await asyncio.sleep(_POLL_SECONDS)
        return ""


async def drop_waiting(connection: AsyncConnection, reason: NotifyReason) -> None:
    """What was not sent in its time is news no more."""
    waits = delivery.c.state.in_((DeliveryState.QUEUED, DeliveryState.FAILED))
    late = update(delivery).where(delivery.c.reason == reason, waits)
    await connection.execute(late.values(state=DeliveryState.SUPERSEDED))


def _sent(row: Row[Any]) -> Sent:
    return Sent(
        channel=row.channel,
        state=DeliveryState(row.state),
        ended_at=row.posted_at or row.accepted_at,
        message_id=row.message_id or "",
        error=row.error or "",
    )


def _kept(row: Row[Any]) -> Kept:
    return Kept(**{**row._mapping, "kind": RehearsalKind(row.kind)})
