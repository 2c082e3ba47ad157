"""PersistentVolumes that their claim has released and that are retained: somebody has to decide about them."""

from typing import ClassVar

from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup.engine import Cleanup, permissions_on
from auto_healing.actions.cleanup.rule import Found, Look, candidate
from auto_healing.actions.cleanup.settings import VolumeSettings
from auto_healing.kube.cluster import Manifest
from common.cluster.rows import PersistentVolumeRow


class CleanVolumes(Cleanup):
    code: ClassVar[str] = "clean-volumes"
    title: ClassVar[str] = "Delete Released PersistentVolumes that are retained; what is stored behind them stays"
    kind: ClassVar[str] = "PersistentVolume"
    permissions: ClassVar[tuple[Permission, ...]] = permissions_on("PersistentVolume")
    settings: ClassVar[type[VolumeSettings]] = VolumeSettings

    async def find(self, look: Look) -> Found:
        volumes = [each for each in look.snapshot.rows(PersistentVolumeRow).values() if look.covers(each)]
        released = [
            candidate(each, f"was released by claim {each.claim_namespace}/{each.claim_name}, which is gone")
            for each in volumes
            if each.phase == "Released" and each.reclaim_policy == "Retain" and self._in_scope(look, each)
            if look.older(look.settings.min_age, each.phase_changed_at or each.created_at)
        ]
        return Found(candidates=tuple(released), total=len(volumes))

    def changed(self, manifest: Manifest) -> str:
        """Deleting the volume of any other policy would delete what is stored, too."""
        released = (manifest.get("status") or {}).get("phase") == "Released"
        retained = (manifest.get("spec") or {}).get("persistentVolumeReclaimPolicy") == "Retain"
        return "" if released and retained else "is not released and retained any more"

    def _in_scope(self, look: Look, each: PersistentVolumeRow) -> bool:
        return not each.claim_namespace or look.covers_namespace(each.claim_namespace)
