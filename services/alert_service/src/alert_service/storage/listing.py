"""Incidents and alerts as they are searched and read; nothing here is locked or changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, exists, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incidents.alert import AlertSeverity, AlertStatus
from alert_service.incidents.incident import Acknowledgement, Happening, HappeningKind, Incident, IncidentState, Member
from alert_service.storage import incidents
from alert_service.storage.incident_rows import incident_of, member_of
from alert_service.storage.incidents import MEMBER_COLUMNS, VALUE
from alert_service.storage.models import incident as incident_table
from alert_service.storage.models import member, timeline
from common.database.connections import Database

Position = tuple[datetime, UUID]
AlertPosition = tuple[datetime, UUID, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFilter:
    """Which incidents; what is None or empty lets everything through."""

    states: frozenset[IncidentState] = frozenset()
    severities: frozenset[AlertSeverity] = frozenset()
    alertname: str | None = None
    fingerprint: str | None = None
    cluster: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    parent_id: UUID | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        columns = incident_table.c
        equal = {
            columns.cluster: self.cluster,
            columns.subject_kind: self.kind,
            columns.subject_namespace: self.namespace,
            columns.subject_name: self.name,
            columns.parent_id: self.parent_id,
        }
        wanted = [column == value for column, value in equal.items() if value is not None]
        if self.states:
            wanted.append(columns.state.in_(sorted(self.states)))
        if self.severities:
            wanted.append(columns.severity.in_(sorted(self.severities)))
        of_member = {member.c.alertname: self.alertname, member.c.fingerprint: self.fingerprint}
        named = [column == value for column, value in of_member.items() if value is not None]
        if named:
            wanted.append(exists().where(member.c.incident_id == columns.id, *named))
        return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts; what is None lets everything through."""

    status: AlertStatus | None = None
    severities: frozenset[AlertSeverity] = frozenset()
    alertname: str | None = None
    fingerprint: str | None = None
    incident_id: UUID | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        columns = member.c
        names = ("status", "alertname", "fingerprint", "incident_id")
        wanted = [columns[name] == value for name in names if (value := getattr(self, name)) is not None]
        if self.severities:
            wanted.append(columns.severity.in_(sorted(self.severities)))
        return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An incident without its members, and how many it has."""

    incident: Incident
    title: str
    next_at: datetime | None  # when something is due by itself
    firing: int
    alerts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAlert:
    """One alert, in the incident it belongs to."""

    member: Member
    incident_id: UUID
    incident_state: IncidentState
    acknowledgement: Acknowledgement | None


class Listing:
    """Reads one page, or one incident with all there is to it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(self, where: IncidentFilter, *, before: Position | None = None, limit: int = 100) -> list[Listed]:
        """Those that opened last come first, from after the position `before` (opened_at, id) on."""
        columns = incident_table.c
        wanted = where.conditions()
        if before is not None:
            wanted.append(tuple_(columns.opened_at, columns.id) < before)
        query = select(columns.id).where(*wanted).order_by(columns.opened_at.desc(), columns.id.desc()).limit(limit)
        async with self._database.begin() as connection:
            ids = (await connection.execute(query)).scalars().all()
            found = await _listed(connection, ids)
        return [found[id_] for id_ in ids]

    async def get(self, incident_id: UUID) -> tuple[Listed, Incident] | None:
        """In short, and with all its members."""
        async with self._database.begin() as connection:
            found = (await incidents.by_ids(connection, [incident_id], lock=False)).get(incident_id)
            short = await _listed(connection, [incident_id])
        return None if found is None else (short[incident_id], found)

    async def timeline(self, incident_id: UUID, *, limit: int) -> list[Happening]:
        """The newest lines, in the order in which they happened."""
        query = (
            select(timeline).where(timeline.c.incident_id == incident_id).order_by(timeline.c.id.desc()).limit(limit)
        )
        async with self._database.begin() as connection:
            rows = (await connection.execute(query)).all()
        return [_happening(row) for row in reversed(rows)]

    async def alerts(
        self, where: AlertFilter, *, before: AlertPosition | None = None, limit: int = 100
    ) -> list[FoundAlert]:
        """Those that began last come first, from after the position `before` (starts_at, incident, fingerprint) on."""
        order = (member.c.starts_at, member.c.incident_id, member.c.fingerprint)
        wanted = where.conditions()
        if before is not None:
            wanted.append(tuple_(*order) < before)
        query = (
            select(
                *MEMBER_COLUMNS,
                incident_table.c.state,
                incident_table.c.value["acknowledgement"].label("acknowledgement"),
            )
            .join(incident_table, incident_table.c.id == member.c.incident_id)
            .where(*wanted)
            .order_by(*(column.desc() for column in order))
            .limit(limit)
        )
        async with self._database.begin() as connection:
            return [_found(row) for row in await connection.execute(query)]


async def _listed(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Listed]:
    firing = func.count().filter(member.c.status == AlertStatus.FIRING)
    counts = (
        select(member.c.incident_id, firing.label("firing"), func.count().label("alerts"))
        .where(member.c.incident_id.in_(ids))
        .group_by(member.c.incident_id)
        .subquery()
    )
    columns = incident_table.c
    query = (
        select(columns.id, VALUE, columns.title, columns.next_at, counts.c.firing, counts.c.alerts)
        .outerjoin_from(incident_table, counts, columns.id == counts.c.incident_id)
        .where(columns.id.in_(ids))
    )
    return {
        row.id: Listed(
            incident=incident_of(row.value, {}),
            title=row.title,
            next_at=row.next_at,
            firing=row.firing or 0,
            alerts=row.alerts or 0,
        )
        for row in await connection.execute(query)
    }


def _found(row: Any) -> FoundAlert:
    ack = row.acknowledgement
    return FoundAlert(
        member=member_of(row),
        incident_id=row.incident_id,
        incident_state=IncidentState(row.state),
        acknowledgement=None if ack is None else msgspec.convert(ack, Acknowledgement),
    )


def _happening(row: Any) -> Happening:
    return Happening(
        kind=HappeningKind(row.kind),
        at=row.at,
        text=row.text,
        by=row.by,
        fingerprints=tuple(row.fingerprints),
        details=row.details,
    )
