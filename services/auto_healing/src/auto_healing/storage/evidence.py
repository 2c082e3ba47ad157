"""Evidence: what was to be seen before something was removed, so that its end leaves no question open."""

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import func, insert, select

from auto_healing.storage.chain import json_text
from auto_healing.storage.fence import fenced
from auto_healing.storage.listing import Of, Position, newest_first
from auto_healing.storage.models import evidence
from common.contracts import ObjectRef
from common.database.connections import Database

_SUMMARY = (
    evidence.c.id,
    evidence.c.run_id,
    evidence.c.kind,
    evidence.c.namespace,
    evidence.c.name,
    evidence.c.uid,
    evidence.c.at,
    func.octet_length(evidence.c.content).label("stored_bytes"),
)
_INSERT = insert(evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSummary:
    """One bundle without its content."""

    id: UUID
    run_id: UUID
    object: ObjectRef
    at: datetime
    stored_bytes: int  # compressed

    @property
    def position(self) -> Position:
        return (self.at, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One bundle: logs, events, conditions, the object's specification, and whatever else was collected."""

    summary: EvidenceSummary
    content: Mapping[str, Any]


class EvidenceStore:
    """Bundles, compressed. They go with their run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self, ref: ObjectRef, content: Mapping[str, Any], *, run_id: UUID, at: datetime, epoch: int | None
    ) -> UUID:
        """Returns when it is committed. A second look within the same run is a bundle of its own."""
        packed = await asyncio.to_thread(pack, content)
        evidence_id = uuid4()
        values = {"id": evidence_id, "run_id": run_id, **ref.key._asdict(), "uid": ref.uid, "at": at, "content": packed}
        async with fenced(self._database, epoch) as connection:
            await connection.execute(_INSERT, values)
        return evidence_id

    async def get(self, evidence_id: UUID) -> Evidence | None:
        found = select(*_SUMMARY, evidence.c.content).where(evidence.c.id == evidence_id)
        async with self._database.begin() as connection:
            row = (await connection.execute(found)).first()
        if row is None:
            return None
        return Evidence(summary=_summary(row), content=await asyncio.to_thread(unpacked, row.content))

    async def list(self, of: Of, *, before: Position | None = None, limit: int = 100) -> list[EvidenceSummary]:
        """The newest first, from before a position on."""
        found = newest_first(evidence, _SUMMARY, of, before=before, limit=limit)
        async with self._database.begin() as connection:
            return [_summary(row) for row in await connection.execute(found)]


def pack(content: Mapping[str, Any]) -> bytes:
    """JSON, compressed."""
    return zlib.compress(json_text(content).encode())


def unpacked(packed: bytes) -> dict[str, Any]:
    """The content of a bundle as it is stored."""
    return cast("dict[str, Any]", msgspec.json.decode(zlib.decompress(packed)))


def _summary(row: Any) -> EvidenceSummary:
    return EvidenceSummary(
        id=row.id,
        run_id=row.run_id,
        object=ObjectRef(kind=row.kind, namespace=row.namespace, name=row.name, uid=row.uid),
        at=row.at,
        stored_bytes=row.stored_bytes,
    )
