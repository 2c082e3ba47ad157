"""A PersistentVolumeClaim gets no volume."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PersistentVolumeClaimRow, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold

_ABOUT_VOLUMES = ("volume", "persistentvolumeclaim")


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=5),
        "How long a pod may wait for its volume. Cloud disks are made in seconds to a minute; a judgement.",
    )
    unused_after: timedelta = threshold(
        timedelta(days=1),
        "The same for a claim that no pod waits for. With volumeBindingMode WaitForFirstConsumer that is how it should "
        "be (https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode), so it is told late and "
        "as info.",
    )


def run(
    claim: PersistentVolumeClaimRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime
) -> Iterable[Symptom]:
    if claim.phase != "Pending" or claim.deleted_at is not None:
        return ()
    pods = snapshot.pods_in(claim.namespace)
    waiting = min((pod for pod in pods if _waits(pod, claim)), key=lambda pod: pod.name, default=None)
    if waiting is None:
        return (_unused(claim, thresholds),)
    return (_wanted(claim, waiting, snapshot, thresholds),)


def _unused(claim: PersistentVolumeClaimRow, thresholds: Thresholds) -> Symptom:
    storage_class = claim.storage_class or "none"
    return Symptom(
        message=f"The claim has no volume, and no pod waits for it (storage class {storage_class}): it may be left "
        "over",
        since=claim.created_at,
        after=thresholds.unused_after,
        severity=Severity.INFO,
        evidence={"storage_class": storage_class, "pod": "", "warning": ""},
        restarts_timer=False,
    )


def _wanted(claim: PersistentVolumeClaimRow, pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds) -> Symptom:
    storage_class = claim.storage_class or "none"
    warning = min(snapshot.warnings_about(claim.key), key=lambda event: event.name, default=None)
    cause = warning.message if warning else "does the storage class exist, and does its provisioner run?"
    begun = [moment for moment in (claim.created_at, pod.created_at) if moment is not None]
    return Symptom(
        message=f"Pod {pod.name} waits for the claim, which has no volume (storage class {storage_class}): {cause}",
        since=max(begun, default=None),
        after=thresholds.after,
        evidence={
            "storage_class": storage_class,
            "pod": pod.name,
            "warning": warning.reason if warning else "",
        },
    )


def _waits(pod: PodRow, claim: PersistentVolumeClaimRow) -> bool:
    """Whether the pod waits for this claim, and not for CPU or anything else that no volume would help."""
    if claim.name not in pod.claims or pod.phase != "Pending" or pod.deleted_at is not None:
        return False
    scheduled = pod.condition("PodScheduled")
    if scheduled is None or not scheduled.message:
        return True
    return any(word in scheduled.message.lower() for word in _ABOUT_VOLUMES)


CHECK = Check(
    code="pvc-pending",
    title="Claim gets no volume",
    kind="PersistentVolumeClaim",
    severity=Severity.WARNING,
    summary="A pod waits for storage that nobody provides: a storage class that does not exist, a provisioner that is "
    "down, a quota, or a volume in another zone.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Event", "Pod"}),
)
