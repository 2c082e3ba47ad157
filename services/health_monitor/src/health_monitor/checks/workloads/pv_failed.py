"""A PersistentVolume could not be reclaimed."""

from collections.abc import Iterable
from datetime import datetime

from common.cluster.rows import PersistentVolumeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, NoThresholds, Symptom


def run(
    volume: PersistentVolumeRow, _snapshot: ClusterSnapshot, _thresholds: NoThresholds, _now: datetime
) -> Iterable[Symptom]:
    if volume.phase != "Failed":
        return ()
    details = volume.message or volume.reason or "no reason given"
    return (
        Symptom(
            message=f"The volume could not be reclaimed after its claim was deleted ({volume.reclaim_policy}): "
            f"{details}",
            since=volume.phase_changed_at,
            evidence={"reason": volume.reason, "reclaim_policy": volume.reclaim_policy, "claim": _claim(volume)},
        ),
    )


def _claim(volume: PersistentVolumeRow) -> str:
    return f"{volume.claim_namespace}/{volume.claim_name}" if volume.claim_name else ""


CHECK = Check(
    code="pv-failed",
    title="Volume not reclaimed",
    kind="PersistentVolume",
    severity=Severity.WARNING,
    summary="Deleting the volume failed: the disk behind it still exists, still costs money, and no claim can use it.",
    run=run,
    thresholds=NoThresholds(),
)
