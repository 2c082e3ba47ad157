"""A node's CPU is nearly used up, as metrics.k8s.io measures it."""

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
        "Part of the allocatable CPU that may be used. 90 % for 15 min is the bound of NodeCPUHighUsage in the "
        "node-exporter mixin (https://github.com/prometheus/node_exporter/tree/master/docs/node-mixin).",
        least=0.1,
        most=2,
    )
    after: timedelta = threshold(timedelta(minutes=15), "How long it may be above; see `ratio`.")


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    usage = snapshot.usage_of(node.key)
    allocatable = node.allocatable.cpu_millicores
    if usage is None or not allocatable or usage.cpu_millicores < allocatable * thresholds.ratio:
        return ()
    used = percent(usage.cpu_millicores, allocatable)
    return (
        Symptom(
            message=f"The node uses {used} % of its allocatable CPU",
            after=thresholds.after,
            evidence={"used_percent": used, "allocatable_cpu_millicores": allocatable},
        ),
    )


CHECK = Check(
    code="node-cpu-high",
    title="CPU use high",
    kind="Node",
    severity=Severity.WARNING,
    summary="The node has hardly any CPU left: pods that use more than they request are slowed down, and so may be "
    "the kubelet.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({NODE_USAGE}),
)
