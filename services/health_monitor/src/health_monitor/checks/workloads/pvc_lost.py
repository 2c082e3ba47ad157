"""A PersistentVolumeClaim whose volume is gone."""

from collections.abc import Iterable
from datetime import datetime

from common.cluster.rows import PersistentVolumeClaimRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, NoThresholds, Symptom


def run(
    claim: PersistentVolumeClaimRow, _snapshot: ClusterSnapshot, _thresholds: NoThresholds, _now: datetime
) -> Iterable[Symptom]:
    if claim.phase != "Lost":
        return ()
    return (
        Symptom(
            message=f"The volume {claim.volume or '(unnamed)'} of the claim does not exist any more: its data may be "
            "lost, and no pod can use the claim",
            evidence={"volume": claim.volume, "storage_class": claim.storage_class},
        ),
    )


CHECK = Check(
    code="pvc-lost",
    title="Claim lost its volume",
    kind="PersistentVolumeClaim",
    severity=Severity.CRITICAL,
    summary="The PersistentVolume that the claim was bound to was deleted, or is bound to another claim. Pods that use "
    "the claim cannot start again.",
    run=run,
    thresholds=NoThresholds(),
)
