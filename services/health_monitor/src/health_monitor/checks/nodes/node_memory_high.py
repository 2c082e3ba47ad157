"""A node's memory is nearly used up, as metrics.k8s.io measures it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import NODE_USAGE, Check, Symptom, threshold
from health_monitor.checks.nodes.shares import percent


@dataclass(frozen=True, slots=True)
class Thresholds:
    ratio: float = threshold(
        0.9,
        "Part of the allocatable memory that may be used. 90 % for 15 min is the bound of NodeMemoryHighUtilization "
        "in the node-exporter mixin (https://github.com/prometheus/node_exporter/tree/master/docs/node-mixin).",
        least=0.1,
        most=2,
    )
    after: timedelta = threshold(timedelta(minutes=15), "How long it may be above; see `ratio`.")


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    usage = snapshot.usage_of(node.key)
    allocatable = node.allocatable.memory_bytes
    if usage is None or not allocatable or usage.memory_bytes < allocatable * thresholds.ratio:
        return ()
    used = percent(usage.memory_bytes, allocatable)
    return (
        Symptom(
            message=f"The node uses {used} % of its allocatable memory",
            after=thresholds.after,
            evidence={"used_percent": used, "allocatable_memory_bytes": allocatable},
        ),
    )


CHECK = Check(
    code="node-memory-high",
    title="Memory use high",
    kind="Node",
    severity=Severity.WARNING,
    summary="The node has hardly any memory left: the next rise leads to memory pressure, evictions or kills by the "
    "kernel.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({NODE_USAGE}),
)
