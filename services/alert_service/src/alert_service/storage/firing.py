"""What fires here of one source, to be compared with what the source itself says."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Text, cast, exists, literal, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incidents.alert import AlertStatus, Source
from alert_service.storage.incidents import OPEN
from alert_service.storage.models import incident, member
from alert_service.turns import Turns

NOTHING = ""  # in the place of a fingerprint


class Firing(msgspec.Struct, frozen=True, gc=False):
    """One alert of an open incident; its fields are in the order in which they are read."""

    incident_id: UUID
    group_key: str
    receiver: str
    cluster: str
    fingerprint: str
    starts_at: datetime
    seen_at: datetime  # when its source last told of it


async def firing(connection: AsyncConnection, source: Source) -> list[Firing]:
    """All of the source. Nothing is locked: whoever changes one looks again."""
    query = (
        select(
            member.c.incident_id,
            incident.c.group_key,
            cast(incident.c.value["receiver"].astext, Text).label("receiver"),
            incident.c.cluster,
            member.c.fingerprint,
            member.c.starts_at,
            member.c.seen_at,
        )
        .join(incident, incident.c.id == member.c.incident_id)
        .where(member.c.status == AlertStatus.FIRING, OPEN, incident.c.source == source)
    )
    turns, found = Turns(), []
    for row in await connection.execute(query):
        found.append(Firing(*row))
        await turns.over()
    return found


async def hollow(connection: AsyncConnection, source: Source) -> list[Firing]:
    """Open incidents of the source of which nothing that is known fires, as a post leaves them that was cut short."""
    fires = exists().where(member.c.incident_id == incident.c.id, member.c.status == "firing")
    query = select(
        incident.c.id,
        incident.c.group_key,
        cast(incident.c.value["receiver"].astext, Text),
        incident.c.cluster,
        literal(NOTHING),
        incident.c.opened_at,
        incident.c.changed_at,
    ).where(incident.c.state != "resolved", incident.c.source == source, not_(fires))
    return [Firing(*row) for row in await connection.execute(query)]
