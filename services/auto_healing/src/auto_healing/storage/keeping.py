"""What one run's actions have stored before they destroy or change something."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from auto_healing.actions.action import Change, Doomed, Marked, Spared
from auto_healing.storage import batches
from auto_healing.storage.changes import Changes
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.manifests import Manifests
from auto_healing.storage.tombstones import Tombstones
from common.clock import Clock
from common.contracts import ObjectRef
from common.database.connections import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Implements `Store` for a run. Each call raises Deposed when the epoch is over, and DatabaseError."""

    database: Database
    evidence: EvidenceStore
    manifests: Manifests
    changes: Changes
    tombstones: Tombstones
    clock: Clock
    run_id: UUID
    epoch: int

    async def save_evidence(self, ref: ObjectRef, content: Mapping[str, Any]) -> UUID:
        return await self.evidence.save(ref, content, run_id=self.run_id, at=self.clock.now(), epoch=self.epoch)

    async def save_manifest(self, manifest: Mapping[str, Any]) -> UUID:
        return await self.manifests.save(manifest, run_id=self.run_id, at=self.clock.now(), epoch=self.epoch)

    async def lease(self, change: Change) -> UUID:
        return await self.changes.lease(change, run_id=self.run_id, epoch=self.epoch, now=self.clock.now())

    async def release(self, change: UUID) -> None:
        await self.changes.release(change, epoch=self.epoch, now=self.clock.now())

    async def save_batch(self, doomed: Sequence[Doomed], spared: Sequence[Spared] = ()) -> None:
        await batches.save_batch(
            self.database, doomed, spared, run_id=self.run_id, at=self.clock.now(), epoch=self.epoch
        )

    async def marked(self, rule: str, namespace: str, due_by: datetime) -> Sequence[Marked]:
        return await batches.marked(self.tombstones, rule, namespace, due_by)
