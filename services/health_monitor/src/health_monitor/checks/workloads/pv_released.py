"""A PersistentVolume without a claim stays for long."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PersistentVolumeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    deleting_after: timedelta = threshold(
        timedelta(minutes=15),
        "How long a volume with reclaim policy Delete may be Released: its disk should be deleted at once "
        "(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming). A judgement.",
    )
    retained_after: timedelta = threshold(
        timedelta(days=7),
        "The same with policy Retain: a week to save the data or to delete the volume by hand. A judgement.",
    )


def run(
    volume: PersistentVolumeRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime
) -> Iterable[Symptom]:
    if volume.phase != "Released":
        return ()
    retained = volume.reclaim_policy != "Delete"
    claim = f"{volume.claim_namespace}/{volume.claim_name}" if volume.claim_name else "unknown"
    if retained:
        meaning = "it is kept on purpose (Retain), no other claim can use it, and somebody pays for it"
    else:
        meaning = "it should have been deleted, so its storage driver fails or still has it attached"
    return (
        Symptom(
            message=f"The claim {claim} of the volume is gone: {meaning}",
            since=volume.phase_changed_at,
            after=thresholds.retained_after if retained else thresholds.deleting_after,
            severity=Severity.INFO if retained else None,
            evidence={"claim": claim, "reclaim_policy": volume.reclaim_policy, "storage_class": volume.storage_class},
            restarts_timer=not retained,
        ),
    )


CHECK = Check(
    code="pv-released",
    title="Volume released but not gone",
    kind="PersistentVolume",
    severity=Severity.WARNING,
    summary="The claim was deleted and the volume was not: either its deletion is stuck, or it is kept on purpose and "
    "was forgotten (info).",
    run=run,
    thresholds=Thresholds(),
)
