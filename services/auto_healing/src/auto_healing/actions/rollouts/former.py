"""Former revisions of a workload as far as the snapshot knows them, for plans. Pure."""

from dataclasses import dataclass
from datetime import datetime

from auto_healing.kube.revisions import REVISION_HASH
from common.cluster.rows import PodRow, ReplicaSetRow, StatefulSetRow, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRevision:
    """One ReplicaSet of a Deployment."""

    number: int
    name: str
    created_at: datetime
    ready: int


def replica_sets_of(workload: WorkloadRow, snapshot: ClusterSnapshot) -> list[KnownRevision]:
    """Of a Deployment, the oldest first."""
    own = [
        row
        for row in snapshot.rows(ReplicaSetRow).values()
        if row.owner is not None and row.owner.uid == workload.uid and row.revision.isdecimal() and row.created_at
    ]
    known = [
        KnownRevision(number=int(row.revision), name=row.name, created_at=row.created_at, ready=row.ready_replicas)
        for row in own
        if row.created_at
    ]
    return sorted(known, key=lambda revision: revision.number)


def newest_pods_of(workload: WorkloadRow, snapshot: ClusterSnapshot, replica_set: str = "") -> list[PodRow]:
    """Pods of the newest revision, which a rollback replaces. A DaemonSet does not tell which those are: all.

    `replica_set` is the name of a Deployment's newest one.
    """
    pods = [pod for pod in snapshot.pods_of(workload.key) if not pod.finished and pod.deleted_at is None]
    if isinstance(workload, StatefulSetRow):
        return [pod for pod in pods if pod.labels.get(REVISION_HASH, "") == workload.revision]
    return [pod for pod in pods if not replica_set or (pod.owner is not None and pod.owner.name == replica_set)]


def ready_of_former(workload: WorkloadRow, snapshot: ClusterSnapshot) -> str:
    """Of a StatefulSet in the middle of a rollout: how its former revision does. Empty when nothing can be told."""
    if not isinstance(workload, StatefulSetRow) or workload.current_revision in {"", workload.revision}:
        return ""
    pods = [
        pod for pod in snapshot.pods_of(workload.key) if pod.labels.get(REVISION_HASH, "") == workload.current_revision
    ]
    ready = sum(pod.ready and pod.deleted_at is None for pod in pods)
    return f"{ready} pods are of {workload.current_revision} and Ready right now" if ready else ""
