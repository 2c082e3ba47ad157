"""A node was cordoned and, it seems, forgotten."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold

TAINT = "node.kubernetes.io/unschedulable"  # the control plane adds it to a cordoned node, with the time


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(hours=24),
        "How long a node may stay cordoned. A judgement: drains are given up to an hour (GKE, "
        "https://cloud.google.com/kubernetes-engine/docs/how-to/node-auto-repair), maintenance rarely needs a day.",
    )


def run(node: NodeRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    if not node.unschedulable:
        return ()
    return (
        Symptom(
            message="The node is still cordoned: no new pod is placed on it, and its capacity is missing elsewhere",
            since=next((taint.added_at for taint in node.taints if taint.key == TAINT), None),
            after=thresholds.after,
            restarts_timer=False,
        ),
    )


CHECK = Check(
    code="node-cordoned",
    title="Cordoned for long",
    kind="Node",
    severity=Severity.WARNING,
    summary="Somebody or something has cordoned the node and not uncordoned it. The cluster has less room than it "
    "seems.",
    run=run,
    thresholds=Thresholds(),
)
