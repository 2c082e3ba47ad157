"""What was told before, read by a replica that begins to lead."""

from sqlalchemy import select

from common.contracts import ObjectKey
from common.database.connections import Database
from health_monitor.engine.outcome import OpenFinding
from health_monitor.storage.models import finding, score_latest
from health_monitor.storage.writer import FINDING


async def published_findings(database: Database) -> list[OpenFinding]:
    """The findings that were told as open and not yet as resolved, storms among them. Raises DatabaseError."""
    async with database.begin() as connection:
        rows = (await connection.execute(select(finding))).all()
    return [
        OpenFinding(
            finding=FINDING.validate_json(row.data),
            opened_at=row.opened_at,
            changed_at=row.changed_at,
            flapping=row.flapping,
        )
        for row in rows
    ]


async def latest_scores(database: Database) -> dict[ObjectKey, float]:
    """The last stored score of every object that was there. Raises DatabaseError."""
    async with database.begin() as connection:
        rows = await connection.execute(select(score_latest))
        return {ObjectKey(row.kind, row.namespace, row.name): row.value for row in rows}
