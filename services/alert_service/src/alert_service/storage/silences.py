"""Silences that were made here, and what such silences would have muted."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, desc, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from alert_service.incidents.alert import AlertSeverity, AlertStatus, Source
from alert_service.routing.matchers import Matcher, all_match, parse_matcher
from alert_service.silences.scope import Muted
from alert_service.storage.incidents import OPEN
from alert_service.storage.models import card, incident, member, silence
from common.database.connections import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One that was made here. `ends_at` is when Alertmanager ends it; one that holds until its incident resolves is
    put off again and again."""

    id: str
    incident_id: UUID | None
    matchers: tuple[Matcher, ...]
    created_by: str  # an identity
    comment: str
    created_at: datetime
    starts_at: datetime
    ends_at: datetime
    until_resolved: bool = False
    reminded_at: datetime | None = None
    ended_at: datetime | None = None


class SilenceRows:
    """All that are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, made: Kept, *, instead_of: str | None = None) -> None:
        """A new one, or one that was changed: Alertmanager may have given it another id."""
        row = _row(made)
        changes = {name: value for name, value in row.items() if name != "id"}
        statement = insert(silence).values(row).on_conflict_do_update(index_elements=["id"], set_=changes)
        async with self._database.begin() as connection:
            if instead_of not in (None, made.id):
                await connection.execute(silence.delete().where(silence.c.id == instead_of))
            await connection.execute(statement)

    async def moved(self, made: Kept) -> None:
        """It begins or ends when Alertmanager says so; one that was changed meanwhile has gone on under another id."""
        await self._set(made.id, starts_at=made.starts_at, ends_at=made.ends_at)

    async def ended(self, silence_id: str, at: datetime) -> None:
        await self._set(silence_id, ended_at=at)

    async def reminded(self, silence_id: str, at: datetime) -> None:
        await self._set(silence_id, reminded_at=at)

    async def get(self, silence_id: str) -> Kept | None:
        """None: it was not made here."""
        return next(iter(await self._found(silence.c.id == silence_id)), None)

    async def standing(self) -> Sequence[Kept]:
        """Those that have not ended, the oldest first."""
        return await self._found(silence.c.ended_at.is_(None))

    async def of_incident(self, incident_id: UUID) -> Kept | None:
        """The newest of an incident that has not ended."""
        found = await self._found((silence.c.incident_id == incident_id) & silence.c.ended_at.is_(None))
        return found[-1] if found else None

    async def told(self, matchers: Sequence[Matcher], since: datetime) -> Sequence[Muted]:
        """Alerts that Alertmanager told since, each once, that such a silence would have muted."""
        labels = member.c.alert["labels"]
        query = (
            select(member.c.fingerprint, member.c.alertname, member.c.severity, labels.label("labels"))
            .ext(distinct_on(member.c.fingerprint))
            .join(incident, incident.c.id == member.c.incident_id)
            .where(incident.c.source == Source.ALERTMANAGER, member.c.seen_at >= since)
            .order_by(member.c.fingerprint, desc(member.c.seen_at))
        )
        for each in matchers:
            if each.is_equal and not each.is_regex and each.value:
                query = query.where(labels[each.name].astext == each.value)
        async with self._database.begin() as connection:
            rows = await connection.execute(query)
            return [_muted(row) for row in rows if all_match(matchers, row.labels)]

    async def concerned(self, made: Kept, limit: int = 20) -> Sequence[UUID]:
        """Open incidents that it mutes: its own, or else those with an alert that it matches, the newest first."""
        if made.incident_id is not None:
            query = select(incident.c.id).where(incident.c.id == made.incident_id, OPEN)
            async with self._database.begin() as connection:
                return list(await connection.scalars(query))
        query_all = (
            select(incident.c.id, member.c.alert["labels"].label("labels"))
            .join(member, incident.c.id == member.c.incident_id)
            .where(OPEN, incident.c.source == Source.ALERTMANAGER, member.c.status == AlertStatus.FIRING)
            .order_by(desc(incident.c.opened_at))
        )
        async with self._database.begin() as connection:
            rows = await connection.execute(query_all)
            return list(dict.fromkeys(row.id for row in rows if all_match(made.matchers, row.labels)))[:limit]

    async def silenced(self, muted: Collection[str]) -> Sequence[UUID]:
        """Open incidents of Alertmanager's that one of these alerts fires of, or that were silenced until now."""
        fires = select(member.c.incident_id).where(member.c.fingerprint.in_(muted), member.c.status == "firing")
        query = select(incident.c.id).where(
            incident.c.state != "resolved",
            incident.c.source == Source.ALERTMANAGER,
            or_(incident.c.id.in_(fires), incident.c.value["silenced"].astext.is_not(None)),
        )
        async with self._database.begin() as connection:
            return list(await connection.scalars(query.order_by(incident.c.id)))

    async def channels_of(self, incident_id: UUID) -> Sequence[str]:
        """Where it has a card."""
        query = select(card.c.channel).where(card.c.incident_id == incident_id).order_by(card.c.channel)
        async with self._database.begin() as connection:
            return list(await connection.scalars(query))

    async def _found(self, condition: Any) -> list[Kept]:
        query = select(silence).where(condition).order_by(silence.c.created_at, silence.c.id)
        async with self._database.begin() as connection:
            return [_kept(row) for row in await connection.execute(query)]

    async def _set(self, silence_id: str, **values: Any) -> None:
        async with self._database.begin() as connection:
            await connection.execute(update(silence).where(silence.c.id == silence_id).values(values))


def _row(made: Kept) -> dict[str, Any]:
    return {
        "id": made.id,
        "incident_id": made.incident_id,
        "matchers": [str(each) for each in made.matchers],
        "created_by": made.created_by,
        "comment": made.comment,
        "created_at": made.created_at,
        "starts_at": made.starts_at,
        "ends_at": made.ends_at,
        "until_resolved": made.until_resolved,
        "reminded_at": made.reminded_at,
        "ended_at": made.ended_at,
    }


def _kept(row: Row[Any]) -> Kept:
    return Kept(**{**row._mapping, "matchers": tuple(parse_matcher(each) for each in row.matchers)})


def _muted(row: Row[Any, Any, Any, Any]) -> Muted:
    severity = AlertSeverity(row.severity)
    return Muted(fingerprint=row.fingerprint, name=row.alertname, severity=severity, labels=row.labels)
