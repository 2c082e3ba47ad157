"""The cross tables behind attribution: does it fail by node, by workload, or by revision?"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auto_healing.policy.settings import Attribution
from auto_healing.symptoms import FailingPod, revision_of, workload_of
from common.cluster.rows import DeploymentRow, PodRow, ReplicaSetRow, StatefulSetRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey

TOGETHER = timedelta(minutes=10)  # within which troubles that have one cause begin. A judgement: probes take minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """Why something is at fault: sentences with numbers, and how sure that is, 0 to 1."""

    evidence: tuple[str, ...]
    confidence: float
    revision: str = ""


class Workloads:
    """Where each workload that fails does fail, and where it does well."""

    def __init__(self, failing: Collection[FailingPod], snapshot: ClusterSnapshot) -> None:
        self.failing: dict[ObjectKey, list[FailingPod]] = defaultdict(list)
        for pod in failing:
            self.failing[pod.workload].append(pod)
        failing_keys = {pod.key for pod in failing}
        self.well = {
            workload: [
                pod
                for pod in snapshot.pods_of(workload)
                if pod.ready and not pod.finished and pod.key not in failing_keys
            ]
            for workload in self.failing
        }
        self._fails_on = {workload: {pod.node for pod in pods} for workload, pods in self.failing.items()}
        self._well_on = {workload: {pod.node for pod in pods} for workload, pods in self.well.items()}

    def does_well_off(self, workload: ObjectKey, node: str) -> bool:
        return bool(self._well_on[workload] - {node})

    def is_local(self, workload: ObjectKey, nodes: int) -> bool:
        """Whether its failing may be its nodes' fault: it fails on few, or does well on at least as many others."""
        fails_on = self._fails_on[workload]
        return len(fails_on) < nodes or len(self._well_on[workload] - fails_on) >= len(fails_on)


def blamed_nodes(workloads: Workloads, snapshot: ClusterSnapshot, settings: Attribution) -> Mapping[str, Blame]:
    """Nodes on which many workloads fail that do well elsewhere."""
    local: dict[str, list[FailingPod]] = defaultdict(list)
    for workload, pods in workloads.failing.items():
        if workloads.is_local(workload, settings.workload_nodes):
            for pod in pods:
                local[pod.node].append(pod)
    blamed = {node: _blame_node(node, pods, workloads, snapshot, settings) for node, pods in local.items() if node}
    return {node: blame for node, blame in blamed.items() if blame is not None}


def _blame_node(
    node: str, pods: Sequence[FailingPod], workloads: Workloads, snapshot: ClusterSnapshot, settings: Attribution
) -> Blame | None:
    failing = {pod.workload for pod in pods}
    if len(failing) < settings.node_workloads:
        return None
    there = {workload_of(pod, snapshot) for pod in snapshot.pods_on(node) if not pod.finished} | failing
    if len(failing) < settings.node_ratio * len(there):
        return None
    elsewhere = sum(workloads.does_well_off(workload, node) for workload in failing)
    evidence = f"{len(failing)} of the {len(there)} workloads on {node} fail there"
    if elsewhere:
        return Blame(evidence=(evidence, f"{elsewhere} of them do well on other nodes"), confidence=0.9)
    span = _span([pod.began_at for pod in pods])
    if span > TOGETHER:
        return None
    return Blame(
        evidence=(evidence, f"they began to within {_minutes(span)}; none of them runs elsewhere to compare with"),
        confidence=0.6,
    )


def blamed_workload(
    workload: ObjectKey, pods: Sequence[FailingPod], well: Collection[PodRow], settings: Attribution
) -> Blame | None:
    """The workload, when its pods fail on several nodes, or all that it has fail."""
    nodes = {pod.node for pod in pods if pod.node}
    if len(nodes) >= settings.workload_nodes:
        where = f"{len(pods)} pods of {workload} fail on {len(nodes)} nodes"
    elif len(pods) >= settings.workload_nodes and not well:
        where = f"all {len(pods)} pods of {workload} that run fail"
    else:
        return None
    share = len(pods) / (len(pods) + len(well))
    rest = f"{len(well)} of its pods do well" if well else "none of its pods does well"
    return Blame(evidence=(where, rest), confidence=round(0.5 + 0.45 * share, 2))


def blamed_revision(
    workload: ObjectKey, pods: Sequence[FailingPod], snapshot: ClusterSnapshot, settings: Attribution
) -> Blame | None:
    """The newest revision, when all that fails is of it, nothing of it does well, and an older one does or did."""
    failing = {pod.key for pod in pods}
    revisions = {pod.revision for pod in pods}
    running = [pod for pod in snapshot.pods_of(workload) if not pod.finished]
    if len(revisions) != 1 or "" in revisions or revisions != {_newest(workload, running, snapshot)}:
        return None
    (revision,) = revisions
    well = [pod for pod in running if pod.ready and pod.key not in failing]
    if any(revision_of(pod) == revision for pod in well):
        return None
    if well:
        nodes = len({pod.node for pod in pods})
        return Blame(
            evidence=(
                f"all {len(pods)} failing pods of {workload} are of the new revision {revision}, and none does well",
                f"{len(well)} pods of an older revision do well",
            ),
            confidence=0.9 if nodes >= settings.workload_nodes else 0.7,
            revision=revision,
        )
    return _by_time(workload, pods, running, snapshot, settings)


def _by_time(
    workload: ObjectKey,
    pods: Sequence[FailingPod],
    running: Sequence[PodRow],
    snapshot: ClusterSnapshot,
    settings: Attribution,
) -> Blame | None:
    """No pod is left to compare with: it began soon after the revision did, and there was one before."""
    revision, born_at = pods[0].revision, _born_at(workload, running, snapshot)
    if born_at is None or any(revision_of(pod) != revision for pod in running):
        return None
    after = min(pod.began_at for pod in pods) - born_at
    if not timedelta() <= after <= settings.revision_window:
        return None
    return Blame(
        evidence=(
            f"all {len(pods)} failing pods of {workload} are of revision {revision}, and none does well",
            f"it began {_minutes(after)} after that revision was made",
        ),
        confidence=0.7,
        revision=revision,
    )


def _newest(workload: ObjectKey, running: Sequence[PodRow], snapshot: ClusterSnapshot) -> str:
    """Revision that the workload is going to, as the hash in its pods' labels."""
    if workload.kind == "StatefulSet":
        row = snapshot.get(StatefulSetRow, workload.name, workload.namespace)
        return row.revision if row else ""
    if workload.kind == "Deployment":
        newest = max(running, key=lambda pod: (_number_of(pod, snapshot), revision_of(pod)), default=None)
    else:
        newest = max(running, key=lambda pod: (_at(pod.created_at), revision_of(pod)), default=None)
    return revision_of(newest) if newest else ""


def _number_of(pod: PodRow, snapshot: ClusterSnapshot) -> int:
    replica_set = snapshot.get(ReplicaSetRow, pod.owner.name, pod.namespace) if pod.owner else None
    return int(replica_set.revision) if replica_set and replica_set.revision.isdigit() else 0


def _born_at(workload: ObjectKey, running: Sequence[PodRow], snapshot: ClusterSnapshot) -> datetime | None:
    """When the newest revision began, where that is known and there was one before it.

    Only of Deployments: pods are made again for many reasons, and their age says little of their template's.
    """
    row = snapshot.get(DeploymentRow, workload.name, workload.namespace) if workload.kind == "Deployment" else None
    if row is None or not row.revision.isdigit() or int(row.revision) < 2 or not running or not running[0].owner:
        return None
    replica_set = snapshot.get(ReplicaSetRow, running[0].owner.name, workload.namespace)
    return replica_set.created_at if replica_set else None


def _at(instant: datetime | None) -> float:
    return instant.timestamp() if instant else 0.0


def _span(instants: Sequence[datetime]) -> timedelta:
    return max(instants) - min(instants)


def _minutes(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return "a minute" if minutes <= 1 else f"{minutes} minutes"
