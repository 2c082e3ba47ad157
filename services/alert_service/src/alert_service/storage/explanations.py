"""What an explanation needs to know of incidents; nothing here is locked or changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import not_, select

from alert_service.incidents.incident import Healing, Incident
from alert_service.policy import AlertPolicy
from alert_service.routing.correlation import began_at, objects_of
from alert_service.routing.weather import Weather
from alert_service.storage import incidents, storms
from alert_service.storage.incident_rows import bonds_of, tie_keys
from alert_service.storage.incidents import OPEN
from alert_service.storage.models import incident as incident_table
from alert_service.storage.models import member
from alert_service.storage.rota import Rota
from common.contracts.objects import ObjectKey
from common.database.connections import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What goes on now."""

    near: Sequence[Incident]  # open ones that may explain it
    healing: Mapping[ObjectKey, Healing]
    weather: Weather
    rota: Rota


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

    async def surroundings(self, incident: Incident, policy: AlertPolicy, *, now: datetime) -> Seen:
        """What decides about an incident that opens."""
        ties = bonds_of(incident, tie_keys(incident))
        since = began_at([incident]) - policy.correlation.within
        async with self._database.begin() as connection:
            return Seen(
                near=await incidents.near(connection, ties, since, lock=False),
                healing=await incidents.healing_of(connection, {each.key for each in objects_of(incident)}),
                weather=Weather(
                    await storms.raging(connection),
                    await storms.openings(connection, now - policy.storm.within),
                    policy.storm,
                    now,
                ),
                rota=await Rota.of(connection, policy),
            )

    async def labels_of(self, fingerprints: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """Of the alerts that are known."""
        query = select(member.c.fingerprint, member.c.alert["labels"].label("labels")).where(
            member.c.fingerprint.in_(fingerprints)
        )
        async with self._database.begin() as connection:
            return {row.fingerprint: row.labels for row in await connection.execute(query)}
