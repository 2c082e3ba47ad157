"""Signed links that were used: each acts once, and says afterwards what it did."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from alert_service.clicks.links import Link
from alert_service.storage.models import used_link
from common.database.connections import Database

# Whoever took a link and did not say by then what became of it is not there any more.
_LOAN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Who used it, when, and what they were told; an empty answer while it is at work."""

    at: datetime
    person: str
    answer: str


class UsedLinks:
    """All that are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, link: Link, person: str, at: datetime) -> Use | None:
        """None: it is the caller's to act, who then calls `used` or `release`. Else how it was used before."""
        row = {"id": link.id, "used_at": at, "expires_at": link.expires_at, "person": person, "answer": ""}
        statement = insert(used_link).values(row)
        taken_over = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={"used_at": at, "person": person, "expires_at": link.expires_at},
            where=(used_link.c.answer == "") & (used_link.c.used_at < at - _LOAN),
        ).returning(used_link.c.id)
        async with self._database.begin() as connection:
            if (await connection.execute(taken_over)).first() is not None:
                return None
        return await self.use(link) or await self.claim(link, person, at)

    async def use(self, link: Link) -> Use | None:
        """None: nobody used it."""
        query = select(used_link).where(used_link.c.id == link.id)
        async with self._database.begin() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else Use(at=row.used_at, person=row.person, answer=row.answer)

    async def used(self, link: Link, answer: str) -> None:
        """It took effect, and this is what the person was told."""
        async with self._database.begin() as connection:
            await connection.execute(update(used_link).where(used_link.c.id == link.id).values(answer=answer))

    async def release(self, link: Link) -> None:
        """It changed nothing, so it may be used still."""
        async with self._database.begin() as connection:
            await connection.execute(delete(used_link).where(used_link.c.id == link.id, used_link.c.answer == ""))
