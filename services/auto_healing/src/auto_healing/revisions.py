"""Is a new revision of a workload to blame? By comparison with pods of an older one, or else by when it began."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from auto_healing.node_changes import minutes_of
from auto_healing.policy.settings import Attribution
from auto_healing.suspects import COMPARED, Blame, Workloads
from auto_healing.symptoms import FailingPod, revision_of
from common.cluster.rows import DeploymentRow, PodRow, ReplicaSetRow, StatefulSetRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey


def blamed_revision(
    workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads, settings: Attribution
) -> Blame | None:
    """The newest revision, when all that fails is of it, nothing of it does well, and an older one does or did."""
    revision, well, running = pods[0].revision, workloads.well[workload], workloads.running[workload]
    if not revision or any(pod.revision != revision for pod in pods):
        return None
    if any(revision_of(pod) == revision for pod in well) or revision != _newest(workload, running, workloads.snapshot):
        return None
    found = _compared(pods, well, settings) if well else _by_time(workload, pods, workloads, settings)
    if found is None:
        return None
    why, confidence = found
    failing = f"all {len(pods)} failing pods of {workload} are of the new revision {revision}, and none does well"
    return Blame(evidence=(failing, why), confidence=confidence, revision=revision)


def _compared(pods: Sequence[FailingPod], well: Sequence[PodRow], settings: Attribution) -> tuple[str, float]:
    several = len({pod.node for pod in pods}) >= settings.workload_nodes
    return f"{len(well)} pods of an older revision do well", COMPARED if several else 0.7


def _by_time(
    workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads, settings: Attribution
) -> tuple[str, float] | None:
    """No pod of an older revision is left that does well: it goes by when the trouble began."""
    if any(revision_of(pod) != pods[0].revision for pod in workloads.running[workload]):
        return None
    if before := _before_unfinished(workload, workloads.snapshot):
        return f"its rollout was never complete; {before} was what ran before", 0.7
    after = _began_after(workload, pods, workloads)
    if after is None or not timedelta() <= after <= settings.revision_window:
        return None
    why = f"it began {minutes_of(after)} after that revision was made; no pod of an older one is left to compare with"
    return why, 0.7


def _began_after(workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads) -> timedelta | None:
    """How long after its revision was made the trouble began; None when that cannot be told."""
    alike = [pod for pod in workloads.running[workload] if revision_of(pod) == pods[0].revision]
    born_at = _born_at(workload, alike, workloads.snapshot)
    return None if born_at is None else min(pod.began_at for pod in pods) - born_at


def _before_unfinished(workload: ObjectKey, snapshot: ClusterSnapshot) -> str:
    """Of a StatefulSet whose newest revision was never ready everywhere: the revision before it; else empty.

    With a partition, or OnDelete, two revisions stand side by side on purpose, and that tells nothing.
    """
    row = snapshot.get(StatefulSetRow, workload.name, workload.namespace) if workload.kind == "StatefulSet" else None
    if row is None or row.partition or row.strategy == "OnDelete" or row.current_revision == row.revision:
        return ""
    return row.current_revision


def age_of_revision(
    workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads, settings: Attribution
) -> tuple[str, ...]:
    """Whether a rollout came before the trouble, in a sentence; none when that cannot be told."""
    after = _began_after(workload, pods, workloads) if len({pod.revision for pod in pods}) == 1 else None
    if after is None or after < timedelta():
        return ()
    if after > settings.revision_window:
        return (f"no rollout came before: its revision was made {minutes_of(after)} earlier",)
    return (f"its revision was made {minutes_of(after)} before",)


def _newest(workload: ObjectKey, running: Sequence[PodRow], snapshot: ClusterSnapshot) -> str:
    """Revision that the workload is going to, as the hash in its pods' labels."""
    if workload.kind == "StatefulSet":
        row = snapshot.get(StatefulSetRow, workload.name, workload.namespace)
        return row.revision if row else ""
    revisions = {revision_of(pod) for pod in running}
    if len(revisions) == 1:
        return revisions.pop()
    newest = {revision_of(pod): pod for pod in sorted(running, key=lambda pod: _at(pod.created_at))}  # pod of each
    if workload.kind == "Deployment":
        return max(newest, key=lambda revision: (_number_of(newest[revision], snapshot), revision))
    return max(newest, key=lambda revision: (_at(newest[revision].created_at), revision), default="")


def _number_of(pod: PodRow, snapshot: ClusterSnapshot) -> int:
    replica_set = snapshot.get(ReplicaSetRow, pod.owner.name, pod.namespace) if pod.owner else None
    return int(replica_set.revision) if replica_set and replica_set.revision.isdigit() else 0


def _born_at(workload: ObjectKey, pods: Sequence[PodRow], snapshot: ClusterSnapshot) -> datetime | None:
    """When the revision of these pods was made, where that is known and there was one before it.

    Only of Deployments: pods are made again for many reasons, and their age says little of their template's.
    """
    row = snapshot.get(DeploymentRow, workload.name, workload.namespace) if workload.kind == "Deployment" else None
    if row is None or not row.revision.isdigit() or int(row.revision) < 2 or not pods or not pods[0].owner:
        return None
    replica_set = snapshot.get(ReplicaSetRow, pods[0].owner.name, workload.namespace)
    return replica_set.created_at if replica_set else None


def _at(instant: datetime | None) -> float:
    return instant.timestamp() if instant else 0.0
