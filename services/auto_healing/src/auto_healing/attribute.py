"""Whose fault it is, before anything is chosen: what fails is cross-tabulated by node, workload, revision and zone.

Pure, and one pass for however many findings: a storm is one attribution. Each finding ends up in exactly one fault.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from auto_healing.fault import Fault, FaultLevel
from auto_healing.policy.settings import Attribution
from auto_healing.revisions import age_of_revision, blamed_revision
from auto_healing.suspects import (
    Blame,
    Workloads,
    blamed_configuration,
    blamed_nodes,
    blamed_pod,
    blamed_workload,
)
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
from auto_healing.verdicts import FaultKey, Verdicts, most_common
from common.cluster.rows import NodeRow, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding, ObjectKey
from common.contracts.objects import ZONE

DEFAULT = Attribution()

FindingKey = tuple[str, ObjectKey, str]
Findings = Mapping[ObjectKey, Sequence[Finding]]  # by the object that they are about


def attribute(
    findings: Iterable[Finding], snapshot: ClusterSnapshot, settings: Attribution = DEFAULT
) -> tuple[Fault, ...]:
    """The faults that explain the findings, ordered by key. The order of the findings changes nothing."""
    by_kind: dict[str, dict[ObjectKey, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    stuck: set[ObjectKey] = set()
    for (code, about, _), finding in _distinct(findings).items():
        by_kind[about.kind][about].append(finding)
        if code in ROLLOUT_STUCK:
            stuck.add(about)
    inquiry = _Inquiry(snapshot=snapshot, settings=settings, stuck=stuck)
    inquiry.nodes(by_kind.pop("Node", {}))
    inquiry.pods(by_kind.pop("Pod", {}))
    inquiry.zones(by_kind.pop(ZONE, {}))
    inquiry.services(by_kind.pop("Service", {}))
    for kind in sorted(by_kind):
        inquiry.others(by_kind[kind])
    return inquiry.verdicts.faults()


def _distinct(findings: Iterable[Finding]) -> Mapping[FindingKey, Finding]:
    """Sorted, one of each key."""
    keyed = [(finding.key, finding) for finding in findings]
    return dict(sorted(keyed, key=lambda each: (each[0], each[1].since, each[1].message)))


@dataclass(slots=True, kw_only=True)
class _Inquiry:
    """One attribution. Its steps are taken from what explains others to what is explained."""

    snapshot: ClusterSnapshot
    settings: Attribution
    stuck: Collection[ObjectKey]  # workloads whose rollout is
    verdicts: Verdicts = field(default_factory=Verdicts)
    of_node: Findings = field(default_factory=dict)

    def nodes(self, findings: Findings) -> None:
        """What a node says of itself is its own."""
        self.of_node = findings
        for key, found in findings.items():
            said = tuple(f"{each.code} since {each.since:%Y-%m-%d %H:%M:%S} UTC" for each in found)
            self.verdicts.lay(found, (FaultLevel.NODE, key))
            self.verdicts.blame((FaultLevel.NODE, key), Blame(evidence=said, confidence=1.0))

    def pods(self, findings: Findings) -> None:
        failing: list[FailingPod] = []
        rest: list[tuple[ObjectKey, PodRow | None, list[Finding]]] = []
        for key, found in findings.items():
            row = self.snapshot.get(PodRow, key.name, key.namespace)
            left = self._explained_by_node(row, found) if row else found
            if failures := [each for each in left if is_failure(each)]:
                failing.append(failing_pod(failures, row, self.snapshot))
            if others := [each for each in left if not is_failure(each)]:
                rest.append((key, row, others))
        self._failing(failing)
        for key, row, others in rest:
            self._no_failure(key, row, others)

    def _explained_by_node(self, row: PodRow, findings: Sequence[Finding]) -> Sequence[Finding]:
        """Lays upon the pod's node what the node's own trouble explains. The rest is returned."""
        node = _node(row.node)
        causes = self.of_node.get(node[1])
        explained = [each for each in findings if explains(causes, each)] if causes else []
        if not explained:
            return findings
        self.verdicts.lay_pod(explained, node, pod=row.key, workload=workload_of(row, self.snapshot))
        return [each for each in findings if each not in explained]

    def _failing(self, failing: Sequence[FailingPod]) -> None:
        workloads = Workloads(failing, self.snapshot)
        nodes = blamed_nodes(workloads, self.settings)
        for node, blame in nodes.items():
            self.verdicts.blame(_node(node), blame)
        for workload, pods in workloads.failing.items():
            left = pods
            if workloads.is_local(workload, self.settings):
                there = [pod for pod in pods if pod.node in nodes and not pod.misconfigured]
                for pod in there:
                    self.verdicts.lay_failing([pod], _node(pod.node))
                left = [pod for pod in pods if pod not in there]
            if left:
                self._workload(workload, left, workloads)

    def _workload(self, workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads) -> None:
        """Its revision, what its pods name, itself, or each of its pods alone."""
        if blame := blamed_revision(workload, pods, workloads, self.settings):
            self._lay(pods, (FaultLevel.REVISION, workload), blame)
            return
        misconfigured = [pod for pod in pods if pod.misconfigured]
        if misconfigured:
            blame = blamed_configuration(workload, misconfigured, workloads)
            self._lay(misconfigured, (FaultLevel.CONFIGURATION, workload), blame)
        pods = [pod for pod in pods if not pod.misconfigured]
        if not pods:
            return
        if blame := self._blamed_workload(workload, pods, workloads):
            changed = age_of_revision(workload, pods, workloads, self.settings)
            blame = replace(blame, evidence=blame.evidence + changed)
            self._lay(pods, (FaultLevel.WORKLOAD, workload), blame)
            return
        for pod in pods:
            self._lay([pod], (FaultLevel.POD, pod.key), blamed_pod(pod, pods, workloads.well[workload]))

    def _blamed_workload(self, workload: ObjectKey, pods: Sequence[FailingPod], workloads: Workloads) -> Blame | None:
        blame = blamed_workload(workload, pods, workloads, self.settings)
        if blame is None and workload in self.stuck:
            evidence = f"the rollout of {workload} is stuck, and {len(pods)} of its pods fail"
            return Blame(evidence=(evidence,), confidence=0.7)
        return blame

    def _lay(self, pods: Sequence[FailingPod], key: FaultKey, blame: Blame) -> None:
        self.verdicts.lay_failing(pods, key)
        self.verdicts.blame(key, blame)

    def _no_failure(self, key: ObjectKey, row: PodRow | None, findings: Sequence[Finding]) -> None:
        """What pods leave behind or wait for goes by workload; what is only worth knowing goes with the pod."""
        workload = workload_of(row, self.snapshot) if row else key
        alone: FaultKey = (FaultLevel.POD, key)
        together = alone if workload == key else (FaultLevel.WORKLOAD, workload)
        for finding in findings:
            if finding.code in REMAINS | WAITING:
                self.verdicts.lay([finding], together)
            else:
                self.verdicts.lay([finding], self.verdicts.of_pods().get(key, alone))

    def zones(self, findings: Findings) -> None:
        """A zone most of whose nodes are at fault takes over what was laid upon them."""
        for key, found in findings.items():
            self.verdicts.lay(found, (FaultLevel.ZONE, key))
        lost = {key[1].name for key, found in self.verdicts.laid().items() if _is_lost(key, found)}
        for zone, names in self.snapshot.zones().items():
            bad = lost.intersection(names)
            if zone and self._is_outage(len(bad), len(names)):
                evidence = (
                    f"{len(bad)} of the {len(names)} nodes of {zone} are at fault: mending one of them does not help"
                )
                self.verdicts.take_over(
                    (FaultLevel.ZONE, ObjectKey(ZONE, "", zone)),
                    {_node(node) for node in bad},
                    Blame(evidence=(evidence,), confidence=0.9),
                )

    def _is_outage(self, bad: int, nodes: int) -> bool:
        """Most of its nodes; or all of a small one, as long as there is a node elsewhere."""
        elsewhere = len(self.snapshot.rows(NodeRow)) > nodes
        whole = bad == nodes and bad >= 2 and elsewhere
        return whole or bad >= max(self.settings.zone_nodes, self.settings.zone_ratio * nodes)

    def services(self, findings: Findings) -> None:
        """A Service without endpoints follows from what its pods suffer from."""
        causes = self._causes_by_service() if findings else {}
        for key, found in findings.items():
            self.verdicts.lay(found, most_common(causes[key]) if key in causes else (FaultLevel.CLUSTER, key))

    def _causes_by_service(self) -> Mapping[ObjectKey, Counter[FaultKey]]:
        causes: dict[ObjectKey, Counter[FaultKey]] = defaultdict(Counter)
        for pod, cause in self.verdicts.of_pods().items():
            row = self.snapshot.get(PodRow, pod.name, pod.namespace)
            for service in self.snapshot.services_of(row) if row else ():
                causes[service.key][cause] += 1
        return causes

    def others(self, findings: Findings) -> None:
        for key, found in findings.items():
            for finding in found:
                self.verdicts.lay([finding], self._fault_of(key, finding.code))

    def _fault_of(self, key: ObjectKey, code: str) -> FaultKey:
        """A workload's own, or what most of its pods suffer from where that explains it; else the cluster's."""
        if key.kind not in WORKLOAD_KINDS:
            return (FaultLevel.CLUSTER, key)
        for level in (FaultLevel.REVISION, FaultLevel.WORKLOAD, FaultLevel.CONFIGURATION):
            if self.verdicts.has((level, key)):
                return (level, key)
        cause = self.verdicts.cause_of(key) if code in UNAVAILABLE else None
        return cause or (FaultLevel.WORKLOAD, key)


def _node(name: str) -> FaultKey:
    return (FaultLevel.NODE, ObjectKey("Node", "", name))


def _is_lost(key: FaultKey, findings: Iterable[Finding]) -> bool:
    """A node that is down, or that its pods say is at fault."""
    level, subject = key
    return level is FaultLevel.NODE and any(
        finding.code in LOST or (finding.object.key != subject and is_failure(finding)) for finding in findings
    )
