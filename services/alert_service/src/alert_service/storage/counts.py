"""How much there is of what, for the gauges."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from alert_service.routing.wanted import DeliveryState
from alert_service.storage.claims import PENDING
from alert_service.storage.incidents import OPEN
from alert_service.storage.models import delivery, inbox, incident, intake, storm
from common.database.connections import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """At one instant."""

    open_incidents: Mapping[tuple[str, str], int]  # by state and severity
    waiting_entries: int
    waiting_deliveries: Mapping[str, int]  # by channel
    dead_deliveries: Mapping[str, int]
    storms: int
    heard: Mapping[str, datetime]  # by source, those that are read by cursor: when it last answered


async def count(database: Database) -> Counts:
    """Each by a partial index: what is over is not looked at. Raises DatabaseError."""
    number = func.count().label("number")
    of_channel = select(delivery.c.channel, number).group_by(delivery.c.channel)
    async with database.begin() as connection:
        incidents = await connection.execute(
            select(incident.c.state, incident.c.severity, number)
            .where(OPEN)
            .group_by(incident.c.state, incident.c.severity)
        )
        entries = await connection.scalar(select(number).select_from(inbox).where(inbox.c.done_at.is_(None)))
        waiting = await connection.execute(of_channel.where(PENDING))
        dead = await connection.execute(of_channel.where(delivery.c.state == DeliveryState.DEAD))
        storms = await connection.scalar(select(number).select_from(storm).where(storm.c.ended_at.is_(None)))
        heard = await connection.execute(select(intake.c.source, intake.c.heard_at))
        return Counts(
            open_incidents={(state, severity): many for state, severity, many in incidents},
            waiting_entries=entries or 0,
            waiting_deliveries={row.channel: row.number for row in waiting},
            dead_deliveries={row.channel: row.number for row in dead},
            storms=storms or 0,
            heard={row.source: row.heard_at for row in heard},
        )
