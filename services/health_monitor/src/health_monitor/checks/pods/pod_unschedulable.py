"""No node can take a pod."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold

# 0/6 nodes are available: 3 Insufficient cpu, 3 node(s) didn't match Pod's node affinity/selector. preemption: ...
_REASONS = re.compile(r"nodes are available: (.*?)(?:\. |\.$|$)", re.S)
_COUNT = re.compile(r"^\d+ ")


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=5),
        "How long a pod may look for a node. A cluster autoscaler notices within 10 s and then waits for a machine, a "
        "few minutes on most clouds (https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md).",
    )


def run(pod: PodRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    if pod.node or pod.phase != "Pending" or pod.deleted_at is not None:
        return ()
    scheduled = pod.condition("PodScheduled")
    if scheduled is None or scheduled.reason == "SchedulingGated":  # a gate holds the pod back on purpose
        return ()
    reasons = scheduler_reasons(scheduled.message)
    return (
        Symptom(
            message=f"No node can take the pod: {reasons or scheduled.reason or 'the scheduler gives no reason'}",
            since=scheduled.changed_at or pod.created_at,
            after=thresholds.after,
            evidence={"reason": scheduled.reason, "scheduler": reasons},
        ),
    )


def scheduler_reasons(message: str) -> str:
    """The scheduler's reasons, sorted and without the counts of nodes: they change whenever a node does."""
    found = _REASONS.search(message)
    if found is None:
        return message
    reasons = {_COUNT.sub("", reason.strip()) for reason in found.group(1).split(", ")}
    return ", ".join(sorted(reasons))


CHECK = Check(
    code="pod-unschedulable",
    title="No node takes the pod",
    kind="Pod",
    severity=Severity.WARNING,
    summary="PodScheduled is False: the scheduler finds no node with enough free requests that the pod's selectors, "
    "tolerations, spread rules and volumes allow.",
    run=run,
    thresholds=Thresholds(),
)
