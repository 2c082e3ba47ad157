"""What an explanation needs to know of incidents; nothing here is locked or changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import not_, select

from alert_service.incident import Incident
from alert_service.storage import incidents
from alert_service.storage.incident_rows import bonds_of, tie_keys
from alert_service.storage.incidents import OPEN
from alert_service.storage.models import incident as incident_table
from alert_service.storage.models import member
from common.database.connections import Database


class Explanations:
    """Reads whole incidents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_alert(self, fingerprint: str, *, limit: int) -> list[Incident]:
        """Those that have the alert: open ones first, and of equals the newest."""
        columns = incident_table.c
        query = (
            select(columns.id)
            .join(member, member.c.incident_id == columns.id)
            .where(member.c.fingerprint == fingerprint)
            .order_by(not_(OPEN), columns.opened_at.desc(), columns.id)
            .limit(limit)
        )
        async with self._database.begin() as connection:
            ids = (await connection.execute(query)).scalars().all()
            found = await incidents.by_ids(connection, ids, lock=False)
        return [found[id_] for id_ in ids if id_ in found]

    async def by_ids(self, ids: Sequence[UUID]) -> dict[UUID, Incident]:
        """Those that are there."""
        async with self._database.begin() as connection:
            return await incidents.by_ids(connection, ids, lock=False) if ids else {}

    async def near(self, incident: Incident, since: datetime) -> list[Incident]:
        """Open ones that have something in common with it and changed since."""
        async with self._database.begin() as connection:
            return await incidents.near(connection, bonds_of(incident, tie_keys(incident)), since, lock=False)

    async def labels_of(self, fingerprints: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """Of the alerts that are known."""
        query = select(member.c.fingerprint, member.c.alert["labels"].label("labels")).where(
            member.c.fingerprint.in_(fingerprints)
        )
        async with self._database.begin() as connection:
            return {row.fingerprint: row.labels for row in await connection.execute(query)}
