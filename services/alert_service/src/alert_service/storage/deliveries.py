"""Messages on their way: queued in the transaction of what they tell, claimed, settled, and listed."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.storage.models import delivery
from alert_service.wanted import DeliveryKind, DeliveryState, Wanted
from common.database.connections import Database


class Deliveries:
    """`on_queued` is told of the channels that have something to send."""

    def __init__(self, database: Database, *, on_queued: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._on_queued = on_queued

    async def queue(
        self, connection: AsyncConnection, wanted: Sequence[Wanted], *, received_at: datetime | None, now: datetime
    ) -> None:
        """In the caller's transaction. `received_at`: when what led to it came in."""
        if wanted:
            await connection.execute(insert(delivery), [_row(each, received_at, now) for each in wanted])


def _row(wanted: Wanted, received_at: datetime | None, now: datetime) -> dict[str, Any]:
    number = uuid4()
    return {
        "id": number,
        "channel": wanted.channel,
        "kind": wanted.kind,
        "reason": wanted.reason,
        "incident_id": wanted.incident_id,
        "subject": _subject(wanted) or str(number),
        "text": wanted.text,
        "mentions": list(wanted.mentions),
        "loud": wanted.loud,
        "quiet": wanted.quiet,
        "state": DeliveryState.QUEUED,
        "attempts": 0,
        "received_at": received_at,
        "queued_at": now,
        "due_at": wanted.not_before or now,
        "fallback_of": wanted.fallback_of,
    }


def _subject(wanted: Wanted) -> str:
    """What the message is about: those of one subject follow one another, and newer ones replace older ones."""
    if wanted.storm_id is not None:
        return f"storm:{wanted.storm_id}"
    if wanted.kind is DeliveryKind.DIGEST:
        return f"digest:{wanted.channel}"
    if wanted.kind is DeliveryKind.PLAIN or wanted.incident_id is None:
        return ""
    return str(wanted.incident_id)
