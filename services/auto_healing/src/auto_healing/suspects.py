"""The cross table behind attribution: does it fail by node, or by workload?"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from auto_healing.policy.settings import Attribution
from auto_healing.symptoms import FailingPod, workload_of
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey

COMPARED = 0.9  # confidence where what fails here does well elsewhere
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
        self.snapshot = snapshot
        self.failing: dict[ObjectKey, list[FailingPod]] = defaultdict(list)
        for pod in failing:
            self.failing[pod.workload].append(pod)
        self.running = {
            workload: [pod for pod in snapshot.pods_of(workload) if not pod.finished] for workload in self.failing
        }
        keys = {pod.key for pod in failing}
        self.well = {
            workload: [pod for pod in pods if pod.ready and pod.key not in keys]
            for workload, pods in self.running.items()
        }
        self._fails_on = {workload: {pod.node for pod in pods} for workload, pods in self.failing.items()}
        self._well_on = {workload: {pod.node for pod in pods} for workload, pods in self.well.items()}

    def does_well_off(self, workload: ObjectKey, node: str) -> bool:
        return bool(self._well_on[workload] - {node})

    def is_local(self, workload: ObjectKey, nodes: int) -> bool:
        """Whether its failing may be its nodes' fault: it fails on few, or does well on at least as many others."""
        fails_on = self._fails_on[workload]
        return len(fails_on) < nodes or len(self._well_on[workload] - fails_on) >= len(fails_on)


def blamed_nodes(workloads: Workloads, settings: Attribution) -> Mapping[str, Blame]:
    """Nodes on which many workloads fail that do well elsewhere."""
    local: dict[str, list[FailingPod]] = defaultdict(list)
    for workload, pods in workloads.failing.items():
        if workloads.is_local(workload, settings.workload_nodes):
            for pod in pods:
                local[pod.node].append(pod)
    found = ((node, _blamed_node(node, pods, workloads, settings)) for node, pods in local.items() if node)
    blamed = {node: blame for node, blame in found if blame is not None}
    unsure = [node for node, blame in blamed.items() if blame.confidence < COMPARED]
    if len(unsure) < settings.zone_nodes:
        return blamed
    # So many at once, and nothing to compare them with: what they share is to blame, and not each of them.
    return {node: blame for node, blame in blamed.items() if node not in unsure}


def _blamed_node(node: str, pods: Sequence[FailingPod], workloads: Workloads, settings: Attribution) -> Blame | None:
    failing = {pod.workload for pod in pods}
    if len(failing) < settings.node_workloads:
        return None
    snapshot = workloads.snapshot
    there = {workload_of(pod, snapshot) for pod in snapshot.pods_on(node) if not pod.finished} | failing
    if len(failing) < settings.node_ratio * len(there):
        return None
    evidence = f"{len(failing)} of the {len(there)} workloads on {node} fail there"
    elsewhere = sum(workloads.does_well_off(workload, node) for workload in failing)
    if elsewhere:
        return Blame(evidence=(evidence, f"{elsewhere} of them do well on other nodes"), confidence=COMPARED)
    began = [pod.began_at for pod in pods]
    if max(began) - min(began) > TOGETHER:
        return None
    together = f"they began to within {minutes_of(max(began) - min(began))}, and none runs elsewhere to compare with"
    return Blame(evidence=(evidence, together), confidence=0.6)


def blamed_workload(
    workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads, settings: Attribution
) -> Blame | None:
    """The workload, when its pods fail on several nodes, or all that it has fail."""
    nodes, well = {pod.node for pod in pods if pod.node}, workloads.well[workload]
    if len(nodes) >= settings.workload_nodes:
        where = f"{len(pods)} pods of {workload} fail on {len(nodes)} nodes"
    elif len(pods) >= settings.workload_nodes and not well:
        where = f"all {len(pods)} pods of {workload} that run fail"
    else:
        return None
    share = len(pods) / (len(pods) + len(well))
    rest = f"{len(well)} of its pods do well" if well else "none of its pods does well"
    revisions = {pod.revision for pod in pods}
    return Blame(
        evidence=(where, rest),
        confidence=round(0.5 + 0.45 * share, 2),
        revision=revisions.pop() if len(revisions) == 1 else "",
    )


def minutes_of(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return "a minute" if minutes <= 1 else f"{minutes} minutes"
