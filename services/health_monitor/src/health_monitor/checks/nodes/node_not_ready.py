"""A kubelet says itself that its node is not ready."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import Condition, NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.nodes.leaving import leaving

REGISTRATION = timedelta(seconds=5)  # Ready=False that is no older than this after creation: it was never True


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(seconds=10),
        "How long Ready may be False. A kubelet that restarts reports NotReady until its first full status; it sends "
        "one every 10 s by default (nodeStatusUpdateFrequency, "
        "https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/).",
    )
    startup: timedelta = threshold(
        timedelta(minutes=10),
        "How long a new node may take to become ready for the first time. 10 min is the default nodeStartupTimeout of "
        "Cluster API (https://cluster-api.sigs.k8s.io/tasks/automated-machine-management/healthchecking).",
    )
    removal: timedelta = threshold(
        timedelta(minutes=15),
        "How long a node that is being deleted, or removed by an autoscaler, may be so. A judgement: the machine ends "
        "first, and its Node object goes some minutes later.",
    )


def run(node: NodeRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    ready = node.condition("Ready")
    if ready is None or ready.status != "False":
        return ()
    reason = ready.reason or "no reason given"
    details = f": {ready.message}" if ready.message else ""
    return (
        Symptom(
            message=f"The kubelet reports the node as not ready ({reason}){details}",
            since=ready.changed_at,
            after=_patience(node, ready, thresholds),
            evidence={"reason": ready.reason, "kubelet_version": node.kubelet_version},
        ),
    )


def _patience(node: NodeRow, ready: Condition, thresholds: Thresholds) -> timedelta:
    if leaving(node):
        return thresholds.removal
    return thresholds.startup if _starting(node, ready) else thresholds.after


def _starting(node: NodeRow, ready: Condition) -> bool:
    if node.created_at is None or ready.changed_at is None:
        return False
    return ready.changed_at - node.created_at <= REGISTRATION


CHECK = Check(
    code="node-not-ready",
    title="Node not ready",
    kind="Node",
    severity=Severity.CRITICAL,
    summary="The kubelet reports Ready=False: no pod is placed on the node, and those on it are evicted after 5 "
    "minutes.",
    run=run,
    thresholds=Thresholds(),
)
