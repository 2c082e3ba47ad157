"""What one run's actions have stored before they destroy or change something."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from auto_healing.actions.action import Change
from auto_healing.storage.changes import Changes
from auto_healing.storage.evidence import EvidenceStore
from auto_healing.storage.manifests import Manifests
from common.clock import Clock
from common.contracts import ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Implements `Store` for a run. Each call raises Deposed when the epoch is over, and DatabaseError."""

    evidence: EvidenceStore
    manifests: Manifests
    changes: Changes
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
