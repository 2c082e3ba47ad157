"""Keeps the tables small: what has taken effect, is resolved or is over goes after a while. Run by the leader."""

import asyncio
import logging
from datetime import datetime, timedelta

from sqlalchemy import Delete, and_, delete, select

from alert_service.settings import KeepSettings
from alert_service.storage.models import (
    card,
    click,
    delivery,
    healing,
    inbox,
    incident,
    rehearsal,
    silence,
    storm,
    used_link,
)
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 3600.0
_AT_ONCE = 500
_HEALING_KEPT = timedelta(days=7)  # longer than any run is at work or waits for a person


class Retention:
    """Does in one pass all that is due; a pass that fails is made good by the next."""

    def __init__(self, database: Database, clock: Clock, settings: KeepSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings

    async def run(self) -> None:
        """One pass an hour until cancelled."""
        while True:
            try:
                if gone := await self.once(self._clock.now()):
                    logger.info("%d old incidents were removed", gone)
            except DatabaseError as error:
                logger.warning("old rows could not be removed, the next try is in an hour: %s", error)
            await asyncio.sleep(_EVERY_SECONDS)

    async def once(self, now: datetime) -> int:
        """How many incidents went, each with its alerts, timeline, deliveries and votes. Raises DatabaseError."""
        for statement in self._outdated(now):
            async with self._database.begin() as connection:
                await connection.execute(statement)
        gone = 0
        while some := await self._incidents(now - timedelta(days=self._settings.incident_days)):
            gone += some
        return gone

    def _outdated(self, now: datetime) -> tuple[Delete, ...]:
        raw = now - timedelta(hours=self._settings.inbox_hours)
        old = now - timedelta(days=self._settings.incident_days)
        return (
            delete(inbox).where(inbox.c.done_at < raw),
            delete(click).where(click.c.done_at < old),
            delete(used_link).where(used_link.c.expires_at < now),
            delete(silence).where(silence.c.ended_at < old),
            delete(storm).where(storm.c.ended_at < old),
            delete(rehearsal).where(rehearsal.c.started_at < old),
            delete(healing).where(healing.c.at < now - _HEALING_KEPT),
            delete(card).where(card.c.incident_id.is_(None), card.c.posted_at < old),
            delete(delivery).where(delivery.c.incident_id.is_(None), delivery.c.queued_at < old),
        )

    async def _incidents(self, before: datetime) -> int:
        """Some of them; the last children first, so that nobody is left without a parent."""
        child = incident.alias()
        has_children = select(child.c.id).where(child.c.parent_id == incident.c.id).exists()
        due = select(incident.c.id).where(and_(incident.c.resolved_at < before, ~has_children)).limit(_AT_ONCE)
        async with self._database.begin() as connection:
            ids = list(await connection.scalars(due.with_for_update(skip_locked=True, of=incident)))
            await connection.execute(delete(incident).where(incident.c.id.in_(ids)))
        return len(ids)
