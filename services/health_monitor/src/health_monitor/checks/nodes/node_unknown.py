"""Nobody hears from a node: the control plane has set its Ready to Unknown, or it never had one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.nodes.leaving import leaving


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(0),
        "How long Ready may be Unknown. The control plane has waited already: 50 s without a heartbeat by default "
        "(node-monitor-grace-period, https://kubernetes.io/docs/reference/command-line-tools-reference/"
        "kube-controller-manager/).",
    )
    startup: timedelta = threshold(
        timedelta(minutes=10),
        "How long a new node may be without any Ready condition. 10 min is the default nodeStartupTimeout of Cluster "
        "API (https://cluster-api.sigs.k8s.io/tasks/automated-machine-management/healthchecking).",
    )
    removal: timedelta = threshold(
        timedelta(minutes=15),
        "How long a node that is being deleted, or removed by an autoscaler, may be so. A judgement: the machine ends "
        "first, and its Node object goes some minutes later.",
    )


def run(node: NodeRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    ready = node.condition("Ready")
    if ready is None:
        return (
            Symptom(
                message="The node was registered, but its kubelet has never reported whether it is ready",
                since=node.created_at,
                after=thresholds.startup,
                evidence={"reason": "NodeStatusNeverUpdated"},
            ),
        )
    if ready.status != "Unknown":
        return ()
    return (
        Symptom(
            message=f"The kubelet has stopped reporting ({ready.reason or 'no reason given'}): the node is down, cut "
            "off from the API server, or its kubelet is dead",
            since=ready.changed_at,
            after=thresholds.removal if leaving(node) else thresholds.after,
            evidence={"reason": ready.reason},
        ),
    )


CHECK = Check(
    code="node-unknown",
    title="Node silent",
    kind="Node",
    severity=Severity.CRITICAL,
    summary="Ready is Unknown: the control plane has lost the node. Its pods may still run, but nobody can tell or "
    "stop them; they are replaced after 5 minutes, those of StatefulSets and with volumes often not at all.",
    run=run,
    thresholds=Thresholds(),
)
