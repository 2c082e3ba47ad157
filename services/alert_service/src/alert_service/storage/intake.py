"""How far each source that is read by cursor has been read."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from alert_service.incidents.alert import Source
from alert_service.storage.models import intake
from common.database.connections import Database


class Intake:
    """One row for each source."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_up_to(self, source: Source) -> tuple[int, datetime | None]:
        """The cursor up to which nothing was missed, and when that was last confirmed; None: never."""
        query = select(intake.c.cursor, intake.c.heard_at).where(intake.c.source == source)
        async with self._database.begin() as connection:
            row = (await connection.execute(query)).first()
        return (0, None) if row is None else (row.cursor, row.heard_at)

    async def keep(self, source: Source, cursor: int, now: datetime) -> None:
        statement = insert(intake).values(source=source, cursor=cursor, heard_at=now)
        statement = statement.on_conflict_do_update(
            index_elements=[intake.c.source], set_={"cursor": cursor, "heard_at": now}
        )
        async with self._database.begin() as connection:
            await connection.execute(statement)
