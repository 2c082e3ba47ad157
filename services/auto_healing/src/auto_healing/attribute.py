"""Whose fault it is, before anything is chosen: what fails is cross-tabulated by node, workload, revision and zone.

Pure, and one pass for however many findings: a storm is one attribution. Each finding ends up in exactly one fault.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from auto_healing.fault import Fault, FaultLevel
from auto_healing.policy.settings import Attribution
from auto_healing.revisions import blamed_revision
from auto_healing.suspects import Blame, Workloads, blamed_nodes, blamed_workload
from auto_healing.symptoms import (
    LOST,
    REMAINS,
    ROLLOUT_STUCK,
    UNAVAILABLE,
    WAITING,
    WORKLOAD_KINDS,
    FailingPod,
    explains,
    failing_pod,
    is_failure,
    workload_of,
)
from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding, ObjectKey
from common.contracts.objects import CLUSTER, ZONE

FaultKey = tuple[FaultLevel, ObjectKey]

DEFAULT = Attribution()


def attribute(
    findings: Iterable[Finding], snapshot: ClusterSnapshot, settings: Attribution = DEFAULT
) -> tuple[Fault, ...]:
    """The faults that explain the findings, ordered by key. The order of the findings changes nothing."""
    verdicts = _Verdicts(snapshot, settings)
    by_kind: dict[str, list[Finding]] = defaultdict(list)
    for finding in _distinct(findings):
        by_kind[finding.object.kind].append(finding)
    verdicts.nodes(by_kind.pop("Node", ()))
    verdicts.pods(by_kind.pop("Pod", ()), stuck=_stuck(by_kind))
    verdicts.zones(by_kind.pop(ZONE, ()))
    for kind in sorted(by_kind):
        verdicts.others(kind, by_kind[kind])
    return verdicts.faults()


def _distinct(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Sorted, one of each key."""
    ordered = sorted(findings, key=lambda finding: (finding.key, finding.since, finding.message))
    return {finding.key: finding for finding in ordered}.values()


def _stuck(by_kind: Mapping[str, Sequence[Finding]]) -> frozenset[ObjectKey]:
    """Workloads whose rollout is stuck."""
    return frozenset(
        finding.object.key for found in by_kind.values() for finding in found if finding.code in ROLLOUT_STUCK
    )


class _Verdicts:
    """Which fault each finding was laid upon so far, and why."""

    def __init__(self, snapshot: ClusterSnapshot, settings: Attribution) -> None:
        self._snapshot = snapshot
        self._settings = settings
        self._laid: dict[FaultKey, list[Finding]] = defaultdict(list)
        self._blames: dict[FaultKey, Blame] = {}
        self._of_pod: dict[ObjectKey, FaultKey] = {}
        self._of_workload: dict[ObjectKey, Counter[FaultKey]] = defaultdict(Counter)

    def faults(self) -> tuple[Fault, ...]:
        return tuple(self._fault(key, self._laid[key]) for key in sorted(self._laid))

    def _fault(self, key: FaultKey, findings: list[Finding]) -> Fault:
        level, subject = key
        blame = self._blames.get(key) or Blame(evidence=(), confidence=1.0)
        elsewhere = len({each.object.key for each in findings} - {subject})
        explained = (f"it explains findings on {elsewhere} other objects",) if elsewhere else ()
        return Fault(
            level=level,
            subject=subject,
            findings=tuple(sorted(findings, key=lambda finding: finding.key)),
            evidence=blame.evidence + explained,
            confidence=blame.confidence,
            revision=blame.revision,
        )

    def _lay(self, findings: Iterable[Finding], key: FaultKey, blame: Blame | None = None) -> None:
        self._laid[key].extend(findings)
        if blame is not None:
            self._blames[key] = blame

    def _lay_pod(self, pod: FailingPod, key: FaultKey, blame: Blame | None = None) -> None:
        self._lay(pod.findings, key, blame)
        self._of_pod[pod.key] = key
        self._of_workload[pod.workload][key] += 1

    def nodes(self, findings: Iterable[Finding]) -> None:
        """What a node's own findings say is the node's."""
        by_node = _by_object(findings)
        for key, found in by_node.items():
            said = tuple(f"{each.code} since {each.since:%Y-%m-%d %H:%M:%S} UTC" for each in found)
            self._lay(found, (FaultLevel.NODE, key), Blame(evidence=said, confidence=1.0))
        self._of_node = {key.name: found for key, found in by_node.items()}

    def pods(self, findings: Iterable[Finding], *, stuck: Collection[ObjectKey]) -> None:
        failing: list[FailingPod] = []
        quiet: list[tuple[ObjectKey, list[Finding]]] = []
        for key, found in _by_object(findings).items():
            rest = self._explained_by_node(key, found)
            failures = [each for each in rest if is_failure(each)]
            if failures:
                failing.append(failing_pod(failures, self._snapshot))
            quiet.append((key, [each for each in rest if not is_failure(each)]))
        self._failing(failing, stuck)
        self._remaining(quiet)

    def _explained_by_node(self, key: ObjectKey, findings: list[Finding]) -> list[Finding]:
        """Lays upon the pod's node what the node's own trouble explains. The rest is returned."""
        row = self._snapshot.get(PodRow, key.name, key.namespace)
        causes = self._of_node.get(row.node) if row else None
        explained = [each for each in findings if explains(causes, each)] if causes else []
        if row and explained:
            fault = _node_fault(row.node)
            self._lay(explained, fault)
            self._of_pod[key] = fault
            self._of_workload[workload_of(row, self._snapshot)][fault] += 1
        return [each for each in findings if each not in explained]

    def _failing(self, failing: Sequence[FailingPod], stuck: Collection[ObjectKey]) -> None:
        workloads = Workloads(failing, self._snapshot)
        nodes = blamed_nodes(workloads, self._settings)
        for node, blame in nodes.items():
            self._blame(_node_fault(node), blame)
        for workload, pods in workloads.failing.items():
            local = workloads.is_local(workload, self._settings.workload_nodes)
            left = []
            for pod in pods:
                if local and pod.node in nodes:
                    self._lay_pod(pod, _node_fault(pod.node))
                else:
                    left.append(pod)
            if left:
                self._workload(workload, left, workloads, stuck=workload in stuck)

    def _blame(self, key: FaultKey, blame: Blame) -> None:
        """Beside what was blamed on it before."""
        own = self._blames.get(key)
        if own is not None:
            blame = Blame(evidence=own.evidence + blame.evidence, confidence=max(own.confidence, blame.confidence))
        self._blames[key] = blame

    def _workload(self, workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads, *, stuck: bool) -> None:
        revision = blamed_revision(workload, pods, workloads, self._settings)
        whole = blamed_workload(workload, pods, workloads, self._settings)
        if revision is not None:
            self._lay_together(pods, (FaultLevel.REVISION, workload), revision)
        elif whole is not None:
            self._lay_together(pods, (FaultLevel.WORKLOAD, workload), whole)
        elif stuck:
            blame = Blame(
                evidence=(f"the rollout of {workload} is stuck, and {len(pods)} of its pods fail",), confidence=0.7
            )
            self._lay_together(pods, (FaultLevel.WORKLOAD, workload), blame)
        else:
            for pod in pods:
                self._lay_pod(pod, (FaultLevel.POD, pod.key), _alone(pod, pods, workloads.well[workload]))

    def _lay_together(self, pods: Sequence[FailingPod], key: FaultKey, blame: Blame) -> None:
        for pod in pods:
            self._lay_pod(pod, key, blame)

    def _remaining(self, pods: Iterable[tuple[ObjectKey, list[Finding]]]) -> None:
        """What pods leave behind or wait for goes by workload; what is only worth knowing goes with the pod."""
        for key, findings in pods:
            if not findings:
                continue
            row = self._snapshot.get(PodRow, key.name, key.namespace)
            workload = workload_of(row, self._snapshot) if row else key
            alone: FaultKey = (FaultLevel.POD, key)
            together = alone if workload == key else (FaultLevel.WORKLOAD, workload)
            for finding in findings:
                if finding.code in REMAINS | WAITING:
                    self._lay([finding], together)
                    self._of_workload[workload][together] += 1
                else:
                    self._lay([finding], self._of_pod.get(key, alone))

    def zones(self, findings: Iterable[Finding]) -> None:
        """A zone most of whose nodes are at fault takes over what was laid upon them."""
        for key, found in _by_object(findings).items():
            self._lay(found, (FaultLevel.ZONE, key))
        lost = {subject.name for (level, subject), found in self._laid.items() if _is_lost(level, subject, found)}
        for zone, names in self._snapshot.zones().items():
            bad = sorted(lost.intersection(names))
            if zone and len(bad) >= max(self._settings.zone_nodes, self._settings.zone_ratio * len(names)):
                self._take_over((FaultLevel.ZONE, ObjectKey(ZONE, "", zone)), bad, total=len(names))

    def _take_over(self, zone: FaultKey, nodes: Sequence[str], *, total: int) -> None:
        sentence = (
            f"{len(nodes)} of the {total} nodes of {zone[1].name} are at fault: nothing done to one of them helps"
        )
        self._blames[zone] = Blame(evidence=(sentence,), confidence=0.9)
        taken = {_node_fault(node) for node in nodes}
        for key in taken:
            self._laid[zone].extend(self._laid.pop(key))
            self._blames.pop(key, None)
        for counts in self._of_workload.values():
            for key in taken & counts.keys():
                counts[zone] += counts.pop(key)
        for pod, key in self._of_pod.items():
            if key in taken:
                self._of_pod[pod] = zone

    def others(self, kind: str, findings: Iterable[Finding]) -> None:
        if kind == "Service":
            self._services(findings)
            return
        for finding in findings:
            key = finding.object.key
            if kind == CLUSTER or kind not in WORKLOAD_KINDS:
                self._lay([finding], (FaultLevel.CLUSTER, key))
            else:
                self._lay([finding], self._fault_of_workload(key, follows=finding.code in UNAVAILABLE))

    def _fault_of_workload(self, workload: ObjectKey, *, follows: bool) -> FaultKey:
        """Its own fault, or with `follows` whichever explains most of its failing pods."""
        for level in (FaultLevel.REVISION, FaultLevel.WORKLOAD):
            if (level, workload) in self._laid:
                return (level, workload)
        causes = self._of_workload.get(workload)
        if follows and causes:
            return min(causes, key=lambda key: (-causes[key], key))
        return (FaultLevel.WORKLOAD, workload)

    def _services(self, findings: Iterable[Finding]) -> None:
        """A Service without endpoints follows from what its pods suffer from."""
        causes = self._causes_by_service() if findings else {}
        for finding in findings:
            key = finding.object.key
            counts = causes.get(key)
            cause = min(counts, key=lambda each: (-counts[each], each)) if counts else (FaultLevel.CLUSTER, key)
            self._lay([finding], cause)

    def _causes_by_service(self) -> Mapping[ObjectKey, Counter[FaultKey]]:
        causes: dict[ObjectKey, Counter[FaultKey]] = defaultdict(Counter)
        for pod, cause in self._of_pod.items():
            row = self._snapshot.get(PodRow, pod.name, pod.namespace)
            for service in self._snapshot.services_of(row) if row else ():
                causes[service.key][cause] += 1
        return causes


def _node_fault(node: str) -> FaultKey:
    return (FaultLevel.NODE, ObjectKey("Node", "", node))


def _by_object(findings: Iterable[Finding]) -> dict[ObjectKey, list[Finding]]:
    by_object: dict[ObjectKey, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_object[finding.object.key].append(finding)
    return by_object


def _is_lost(level: FaultLevel, subject: ObjectKey, findings: Iterable[Finding]) -> bool:
    """A node that is down, or that its pods say is at fault."""
    return level is FaultLevel.NODE and any(
        finding.code in LOST or (finding.object.key != subject and is_failure(finding)) for finding in findings
    )


def _alone(pod: FailingPod, failing: Sequence[FailingPod], well: Sequence[PodRow]) -> Blame:
    where = f" on {pod.node}" if pod.node else ""
    if pod.workload == pod.key:
        return Blame(evidence=(f"{pod.key} belongs to no workload and fails{where}",), confidence=0.8)
    evidence = f"{len(failing)} of the {len(failing) + len(well)} pods of {pod.workload} fails{where}"
    return Blame(evidence=(evidence,), confidence=0.8 if well else 0.5, revision=pod.revision)
