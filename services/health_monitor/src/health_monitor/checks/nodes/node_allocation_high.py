"""The pods of a node have requested nearly all that it can allocate."""

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
    ratio: float = threshold(
        0.95,
        "Part of the allocatable CPU or memory that may be requested. A judgement: autoscalers pack nodes tightly on "
        "purpose, so only what leaves no room for another pod of usual size is told.",
        least=0.1,
        most=2,
    )
    after: timedelta = threshold(
        timedelta(minutes=30), "How long it may be above. A judgement: longer than a rollout with surge takes."
    )


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    requested = snapshot.requested_on(node.name)
    allocatable = node.allocatable
    cpu_full = requested.cpu_millicores >= allocatable.cpu_millicores * thresholds.ratio
    memory_full = requested.memory_bytes >= allocatable.memory_bytes * thresholds.ratio
    if not cpu_full and not memory_full:
        return ()
    return [
        _symptom(resource, percent(part, whole), thresholds)
        for resource, full, part, whole in (
            ("CPU", cpu_full, requested.cpu_millicores, allocatable.cpu_millicores),
            ("memory", memory_full, requested.memory_bytes, allocatable.memory_bytes),
        )
        if full and whole
    ]


def _symptom(resource: str, requested: int, thresholds: Thresholds) -> Symptom:
    return Symptom(
        message=f"The pods on the node request {requested} % of its allocatable {resource}",
        after=thresholds.after,
        part=resource.lower(),
        evidence={"requested_percent": requested},
    )


CHECK = Check(
    code="node-allocation-high",
    title="Node fully allocated",
    kind="Node",
    severity=Severity.INFO,
    summary="Requests take nearly all of the node's CPU or memory: no further pod fits, even while little of it is "
    "used.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Pod"}),
)
