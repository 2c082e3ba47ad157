"""A node runs nearly as many pods as its kubelet takes."""

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
        "Part of the allocatable pods that may run. 95 % for 15 min is the bound of KubeletTooManyPods "
        "(https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubelettoomanypods/).",
        least=0.1,
        most=2,
    )
    after: timedelta = threshold(timedelta(minutes=15), "How long it may be above; see `ratio`.")


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    allocatable = node.allocatable.pods
    pods = snapshot.requested_on(node.name).pods
    if not allocatable or pods < allocatable * thresholds.ratio:
        return ()
    return (
        Symptom(
            message=f"{pods} of the {allocatable} pods that the node takes are on it ({percent(pods, allocatable)} %)",
            after=thresholds.after,
            evidence={"pods": pods, "allocatable_pods": allocatable},
        ),
    )


CHECK = Check(
    code="node-pods-high",
    title="Pod count high",
    kind="Node",
    severity=Severity.INFO,
    summary="The node is about to reach the number of pods that its kubelet (or its pod network) allows; then no "
    "more are placed on it, whatever CPU and memory are left.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Pod"}),
)
