"""Volume claims that nobody mounts. Their data is kept in a snapshot, where the driver can make one."""

from typing import ClassVar

from auto_healing.actions.action import Doing, Permission
from auto_healing.actions.cleanup.engine import LIST_EVERYTHING, Cleanup, Ready, permissions_on
from auto_healing.actions.cleanup.rule import Found, Look
from auto_healing.actions.cleanup.settings import ClaimSettings
from auto_healing.actions.cleanup.snapshots import snapshot_of
from auto_healing.actions.cleanup.survey import survey
from auto_healing.actions.cleanup.unused import judged
from auto_healing.kube.cluster import Manifest
from common.cluster.rows import PersistentVolumeClaimRow, StatefulSetRow


class CleanVolumeClaims(Cleanup):
    code: ClassVar[str] = "clean-volume-claims"
    title: ClassVar[str] = "Delete volume claims that are proven to be used by nothing, after a snapshot of their data"
    kind: ClassVar[str] = "PersistentVolumeClaim"
    permissions: ClassVar[tuple[Permission, ...]] = (
        *permissions_on("PersistentVolumeClaim"),
        LIST_EVERYTHING,
        Permission(group="", resource="persistentvolumes", verbs=("get",)),
        Permission(group="snapshot.storage.k8s.io", resource="volumesnapshots", verbs=("get", "create")),
    )
    settings: ClassVar[type[ClaimSettings]] = ClaimSettings

    async def find(self, look: Look) -> Found:
        claims = [each for each in look.snapshot.rows(PersistentVolumeClaimRow).values() if look.covers(each)]
        idle = [
            each
            for each in claims
            if each.owner is None and look.knows(StatefulSetRow) and not _of_stateful_set(look, each)
            if look.older(look.settings.min_age, each.created_at)
        ]
        if not idle:
            return Found(total=len(claims))
        references = await survey(look.cluster, {each.name for each in idle})
        return judged(((each.key.ref(each.uid), "") for each in idle), references, total=len(claims))

    async def prepare(self, doing: Doing, manifest: Manifest, look: Look) -> Ready:
        return await snapshot_of(doing, manifest, look.settings)


def _of_stateful_set(look: Look, claim: PersistentVolumeClaimRow) -> bool:
    """Also of a pod that is not there now, since the set may be scaled up again: template-set-ordinal."""
    base, _, ordinal = claim.name.rpartition("-")
    return ordinal.isdigit() and any(
        base == f"{template}-{each.name}"
        for each in look.snapshot.rows(StatefulSetRow).values()
        if each.namespace == claim.namespace
        for template in each.claim_templates
    )
