"""What people say about alerts, and the figures of how alerts fare."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incident import Incident
from alert_service.storage.models import vote as vote_table


async def vote(connection: AsyncConnection, incident: Incident, person: str, *, noisy: bool, at: datetime) -> None:
    """One for each person and incident: the last counts."""
    name = incident.labels.get("alertname") or next((each.alert.name for each in incident.members.values()), "")
    statement = insert(vote_table).values(incident_id=incident.id, person=person, alertname=name, noisy=noisy, at=at)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["incident_id", "person"], set_={"noisy": noisy, "at": at})
    )
