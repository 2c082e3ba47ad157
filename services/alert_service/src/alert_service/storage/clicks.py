"""Presses of buttons: stored before they are acknowledged, and settled once they took effect."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from alert_service.clicks.slack_requests import Click
from alert_service.storage.models import click
from common.database.connections import Database


class ClickRows:
    """All that are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, pressed: Click, at: datetime) -> bool:
        """False for one that came before. Raises DatabaseError."""
        row = {"id": pressed.id, "received_at": at, "payload": msgspec.to_builtins(pressed)}
        statement = insert(click).values(row).on_conflict_do_nothing().returning(click.c.id)
        async with self._database.begin() as connection:
            return (await connection.execute(statement)).first() is not None

    async def done(self, pressed: Click, *, at: datetime, incident_id: UUID | None, person: str, answer: str) -> None:
        """What became of it. Where its answer had to go is not kept: whoever knew it could write in Slack."""
        values = {
            "done_at": at,
            "incident_id": incident_id,
            "person": person,
            "answer": answer,
            "payload": msgspec.to_builtins(msgspec.structs.replace(pressed, response_url="")),
        }
        async with self._database.begin() as connection:
            await connection.execute(update(click).where(click.c.id == pressed.id).values(values))

    async def left(self, before: datetime, limit: int) -> Sequence[tuple[Click, datetime]]:
        """Those that came before, and nobody settled; with when they came, the oldest first."""
        query = (
            select(click.c.payload, click.c.received_at)
            .where(click.c.done_at.is_(None), click.c.received_at < before)
            .order_by(click.c.received_at)
            .limit(limit)
        )
        async with self._database.begin() as connection:
            rows = await connection.execute(query)
            return [(msgspec.convert(row.payload, Click), row.received_at) for row in rows]
