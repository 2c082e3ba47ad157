"""The limits of a node's pods promise more than it has."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.nodes.shares import percent


@dataclass(frozen=True, slots=True)
class Thresholds:
    memory_ratio: float = threshold(
        1.5,
        "How many times the allocatable memory the limits may add up to. 1.5 is what kubernetes-mixin allows "
        "quotas to overcommit (KubeMemoryQuotaOvercommit, "
        "https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubememoryquotaovercommit/).",
        least=0.1,
    )
    cpu_ratio: float = threshold(
        5.0,
        "The same for CPU. A judgement, far above memory's: CPU that is short slows pods down, it kills none.",
        least=0.1,
    )
    after: timedelta = threshold(
        timedelta(minutes=30), "How long it may be above. A judgement: longer than a rollout with surge takes."
    )


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    limits = snapshot.limits_on(node.name)
    allocatable = node.allocatable
    cpu_over = limits.cpu_millicores > allocatable.cpu_millicores * thresholds.cpu_ratio
    memory_over = limits.memory_bytes > allocatable.memory_bytes * thresholds.memory_ratio
    if not cpu_over and not memory_over:
        return ()
    return [
        _symptom(resource, percent(part, whole), thresholds)
        for resource, over, part, whole in (
            ("CPU", cpu_over, limits.cpu_millicores, allocatable.cpu_millicores),
            ("memory", memory_over, limits.memory_bytes, allocatable.memory_bytes),
        )
        if over and whole
    ]


def _symptom(resource: str, promised: int, thresholds: Thresholds) -> Symptom:
    return Symptom(
        message=f"The {resource} limits of the pods on the node add up to {promised} % of what it can allocate",
        after=thresholds.after,
        part=resource.lower(),
        evidence={"limits_percent": promised},
    )


CHECK = Check(
    code="node-limits-overcommitted",
    title="Limits overcommitted",
    kind="Node",
    severity=Severity.INFO,
    summary="The pods on the node may together use far more than it has. When they do, memory runs out and pods are "
    "killed or evicted that stay within their own limits.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Pod"}),
)
