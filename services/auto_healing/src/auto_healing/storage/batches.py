"""Many objects at once: what is kept of each, and the word of the ledger about it, before they are deleted."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy.dialects.postgresql import insert

from auto_healing.actions.action import Doomed, Marked, Spared
from auto_healing.storage.evidence import pack
from auto_healing.storage.fence import fenced
from auto_healing.storage.ledger import Entry, append
from auto_healing.storage.models import evidence, manifest
from auto_healing.storage.tombstones import SERVICE, Tombstones
from common.database.connections import Database


async def save_batch(
    database: Database,
    doomed: Sequence[Doomed],
    spared: Sequence[Spared],
    *,
    run_id: UUID,
    at: datetime,
    epoch: int | None,
) -> None:
    """All of it or nothing, in one transaction. After a crash the same again is kept once: its ids follow from it.

    Raises Deposed and DatabaseError.
    """
    bundles, manifests = await asyncio.to_thread(_rows, doomed, run_id, at)
    entries = [_entry("deleting", each, run_id, at) for each in doomed]
    entries += [_entry("spared", each, run_id, at) for each in spared]
    async with fenced(database, epoch) as connection:
        if doomed:
            await connection.execute(insert(evidence).on_conflict_do_nothing(), bundles)
            await connection.execute(insert(manifest).on_conflict_do_nothing(), manifests)
        await append(connection, entries)


async def marked(tombstones: Tombstones, rule: str, namespace: str, due_by: datetime) -> Sequence[Marked]:
    """What cleanup has marked, and whose time had come at that instant."""
    due = await tombstones.due(rule, namespace, due_by)
    return [Marked(ref=each.ref, reason=each.reason, since=each.first_seen_at) for each in due]


def _rows(doomed: Sequence[Doomed], run_id: UUID, at: datetime) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    bundles, manifests = [], []
    for each in doomed:
        place = {"run_id": run_id, **each.ref.key._asdict(), "uid": each.ref.uid, "at": at}
        name = f"{each.ref.kind}/{each.ref.uid}"
        bundles.append({**place, "id": uuid5(run_id, f"evidence/{name}"), "content": pack(each.evidence)})
        manifests.append({**place, "id": uuid5(run_id, f"manifest/{name}"), "content": dict(each.manifest)})
    return bundles, manifests


def _entry(event: str, each: Doomed | Spared, run_id: UUID, at: datetime) -> Entry:
    return Entry(
        event=event,
        at=at,
        object=each.ref.key,
        run_id=run_id,
        actor=SERVICE,
        message=f"{each.ref.key} {each.reason}",
        data={"uid": each.ref.uid},
    )
