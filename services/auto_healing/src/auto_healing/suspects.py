"""The cross table behind attribution: does it fail by node, or by workload?"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from auto_healing.guards.census import is_control_plane
from auto_healing.node_changes import changes_of_node, minutes_of
from auto_healing.policy.settings import Attribution
from auto_healing.symptoms import FailingPod, workload_of
from common.cluster.rows import NodeRow, PodRow
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

    @cached_property
    def nodes(self) -> int:
        """Those for workloads."""
        return sum(not is_control_plane(node) for node in self.snapshot.rows(NodeRow).values())

    def enough_nodes(self, settings: Attribution) -> int:
        """From which it is a workload's fault: all of them, in a cluster that has fewer than the policy asks for."""
        most = settings.workload_nodes
        return most if most <= 2 else min(most, max(2, self.nodes))

    def is_local(self, workload: ObjectKey, settings: Attribution) -> bool:
        """Whether its failing may be its nodes' fault: it fails on few, or does well on at least as many others."""
        fails_on = self._fails_on[workload]
        few = len(fails_on) < self.enough_nodes(settings)
        return few or len(self._well_on[workload] - fails_on) >= len(fails_on)


def blamed_nodes(workloads: Workloads, settings: Attribution) -> Mapping[str, Blame]:
    """Nodes on which many workloads fail that do well elsewhere."""
    local: dict[str, list[FailingPod]] = defaultdict(list)
    for workload, pods in workloads.failing.items():
        if workloads.is_local(workload, settings):
            for pod in pods:
                if may_be_its_nodes(pod):
                    local[pod.node].append(pod)
    there = ((node, pods) for node, pods in local.items() if workloads.snapshot.node(node) is not None)
    found = ((node, _blamed_node(node, pods, workloads, settings)) for node, pods in there)
    blamed = {node: blame for node, blame in found if blame is not None}
    unsure = [node for node, blame in blamed.items() if blame.confidence < COMPARED]
    if not unsure or len(unsure) < min(settings.zone_nodes, workloads.nodes):
        return blamed
    # So many at once, or all there are, and nothing to compare with: what they share is to blame, and not each of them.
    return {node: blame for node, blame in blamed.items() if node not in unsure}


def may_be_its_nodes(pod: FailingPod) -> bool:
    """A pod that no controller made tells of nobody but itself; what it names is missed on every node."""
    return not pod.misconfigured and not pod.belongs_to_nothing


def _blamed_node(node: str, pods: Sequence[FailingPod], workloads: Workloads, settings: Attribution) -> Blame | None:
    failing = {pod.workload for pod in pods}
    if len(failing) < settings.node_workloads:
        return None
    snapshot = workloads.snapshot
    running = {pod.key: workload_of(pod, snapshot) for pod in snapshot.pods_on(node) if not pod.finished}
    there = {workload for pod, workload in running.items() if workload != pod} | failing
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
    changed = changes_of_node(node, min(began), workloads.snapshot)
    return Blame(evidence=(evidence, together, *changed), confidence=0.75 if changed else 0.6)


def blamed_workload(
    workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads, settings: Attribution
) -> Blame | None:
    """The workload, when its pods fail on several nodes, or all that it has fail."""
    nodes, well = {pod.node for pod in pods if pod.node}, workloads.well[workload]
    if len(nodes) >= workloads.enough_nodes(settings):
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


def blamed_configuration(workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads) -> Blame:
    """What misconfigured pods name: the kubelet itself says what is missing."""
    said = sorted({finding.message for pod in pods for finding in pod.findings if finding.code == "pod-config-error"})
    well = len(workloads.well[workload])
    rest = (f"{well} of its pods do well: they have started before",) if well else ()
    revisions = {pod.revision for pod in pods}
    return Blame(
        evidence=(f"{len(pods)} pods of {workload} name what is not there", *said[:3], *rest),
        confidence=COMPARED,
        revision=revisions.pop() if len(revisions) == 1 else "",
    )


def blamed_pod(pod: FailingPod, failing: Sequence[FailingPod], well: Sequence[PodRow]) -> Blame:
    """It alone, of those of its workload that fail."""
    where = f" on {pod.node}" if pod.node else ""
    if pod.belongs_to_nothing:
        return Blame(evidence=(f"{pod.key} belongs to no workload and fails{where}",), confidence=0.8)
    evidence = f"{len(failing)} of the {len(failing) + len(well)} pods of {pod.workload} fails{where}"
    return Blame(evidence=(evidence,), confidence=0.8 if well else 0.5, revision=pod.revision)
