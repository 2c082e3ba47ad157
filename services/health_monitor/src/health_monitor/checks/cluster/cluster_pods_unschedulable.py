"""Pods wait because no node has room for them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import Condition, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.checks.check import Check, Symptom, threshold

SHORT_OF = re.compile(r"Insufficient ([\w./-]*\w)|(Too many pods)")  # in the scheduler's message


@dataclass(frozen=True, slots=True)
class Thresholds:
    pods: int = threshold(
        1, "How many waiting pods are too many. Each is one that somebody asked for and did not get.", least=1
    )
    critical_pods: int = threshold(50, "How many are critical. A judgement: more than a workload or two.", least=1)
    after: timedelta = threshold(
        timedelta(minutes=5),
        "How long pods may wait. A judgement: a cluster autoscaler that works has added a node by then, and its own "
        "objective is a decision within a minute "
        "(https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md).",
    )


def run(_cluster: ObjectKey, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    waiting = [condition for pod in snapshot.pods_on("") if (condition := _lacks_capacity(pod))]
    if len(waiting) < thresholds.pods:
        return ()
    resources = sorted({found for condition in waiting for found in _short_of(condition)})
    count = len(waiting)
    plural = "" if count == 1 else "s"
    return (
        Symptom(
            message=f"{count} pod{plural} cannot be placed: no node has room ({', '.join(resources)})",
            since=min((c.changed_at for c in waiting if c.changed_at), default=None),
            after=thresholds.after,
            severity=Severity.CRITICAL if count >= thresholds.critical_pods else Severity.WARNING,
            evidence={"pods": count, "short_of": ", ".join(resources)},
        ),
    )


def _lacks_capacity(pod: PodRow) -> Condition | None:
    if pod.deleted_at is not None or pod.finished:
        return None
    condition = pod.condition("PodScheduled")
    if condition is None or condition.reason != "Unschedulable" or not SHORT_OF.search(condition.message):
        return None
    return condition


def _short_of(condition: Condition) -> Iterable[str]:
    return (match[1] or "pods" for match in SHORT_OF.finditer(condition.message))


CHECK = Check(
    code="cluster-pods-unschedulable",
    title="Out of capacity",
    kind=CLUSTER,
    severity=Severity.WARNING,
    summary="The scheduler finds no node with enough free CPU, memory or pod slots. The cluster is full, or its "
    "autoscaler does not add nodes.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Pod"}),
)
