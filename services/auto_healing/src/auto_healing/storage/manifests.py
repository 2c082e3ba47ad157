"""Manifests: whole objects as they were before they were removed, for a restore by one call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.storage.fence import fenced
from auto_healing.storage.listing import Of, Position, newest_first
from auto_healing.storage.models import manifest
from common.contracts import ObjectRef
from common.database.connections import Database

_SUMMARY = tuple(column for column in manifest.c if column.name != "content")
_KNOWN = select(manifest.c.id).where(
    manifest.c.run_id == bindparam("of_run"),
    manifest.c.kind == bindparam("of_kind"),
    manifest.c.uid == bindparam("of_uid"),
)
_INSERT = insert(manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSummary:
    """One removed object, without its content, which may hold secrets."""

    id: UUID
    run_id: UUID
    object: ObjectRef
    at: datetime
    restored_at: datetime | None
    restored_by: str | None

    @property
    def position(self) -> Position:
        return (self.at, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One removed object as the API server last gave it."""

    summary: ManifestSummary
    content: Mapping[str, Any]


class Manifests:
    """Objects that can be restored. They go with their run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, content: Mapping[str, Any], *, run_id: UUID, at: datetime, epoch: int | None) -> UUID:
        """Returns when it is committed. The same life of the object again, within one run, is kept once."""
        ref = ref_of(content)
        async with fenced(self._database, epoch) as connection:
            same = {"of_run": run_id, "of_kind": ref.kind, "of_uid": ref.uid}
            known: UUID | None = await connection.scalar(_KNOWN, same)
            if known is not None:
                return known
            manifest_id = uuid4()
            place = {**ref.key._asdict(), "uid": ref.uid}
            values = {"id": manifest_id, "run_id": run_id, **place, "at": at, "content": dict(content)}
            await connection.execute(_INSERT, values)
        return manifest_id

    async def get(self, manifest_id: UUID) -> Manifest | None:
        async with self._database.begin() as connection:
            row = (await connection.execute(select(manifest).where(manifest.c.id == manifest_id))).first()
        return None if row is None else Manifest(summary=_summary(row), content=row.content)

    async def list(self, of: Of, *, before: Position | None = None, limit: int = 100) -> list[ManifestSummary]:
        """The newest first, from before a position on."""
        found = newest_first(manifest, _SUMMARY, of, before=before, limit=limit)
        async with self._database.begin() as connection:
            return [_summary(row) for row in await connection.execute(found)]


async def mark_restored(connection: AsyncConnection, manifest_id: UUID, *, by: str, at: datetime) -> bool:
    """Within the caller's transaction; False when it was restored before."""
    marked = await connection.execute(
        update(manifest)
        .where(manifest.c.id == manifest_id, manifest.c.restored_at.is_(None))
        .values(restored_at=at, restored_by=by)
    )
    return marked.rowcount > 0


def ref_of(content: Mapping[str, Any]) -> ObjectRef:
    metadata = content["metadata"]
    return ObjectRef(
        kind=content["kind"],
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
    )


def _summary(row: Any) -> ManifestSummary:
    return ManifestSummary(
        id=row.id,
        run_id=row.run_id,
        object=ObjectRef(kind=row.kind, namespace=row.namespace, name=row.name, uid=row.uid),
        at=row.at,
        restored_at=row.restored_at,
        restored_by=row.restored_by,
    )
