"""Nobody knows the state of a pod."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.nodes import on_unready_node


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=1),
        "How long the phase may be Unknown. A node that comes back reports within 10 s (nodeStatusUpdateFrequency, "
        "https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/); a judgement above that.",
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    if pod.phase != "Unknown" or pod.deleted_at is not None or on_unready_node(pod, snapshot):
        return ()
    return (
        Symptom(
            message=f"The state of the pod is unknown, most likely because node {pod.node or '(none)'} cannot be "
            "reached",
            since=pod.ready_changed_at,
            after=thresholds.after,
            evidence={"node": pod.node, "reason": pod.reason},
        ),
    )


CHECK = Check(
    code="pod-unknown",
    title="State unknown",
    kind="Pod",
    severity=Severity.WARNING,
    summary="The control plane cannot tell whether the pod runs, since its node does not answer. Nothing may be "
    "assumed about it, least of all that it is gone.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Node"}),
)
