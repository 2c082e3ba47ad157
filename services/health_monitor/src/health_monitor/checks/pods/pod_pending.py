"""A pod has a node but does not start, or no scheduler looks at it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.containers import told_by_container
from health_monitor.checks.pods.nodes import on_unready_node
from health_monitor.checks.pods.warnings import about, oldest

_MEANINGS = {
    "FailedMount": "a volume cannot be mounted",
    "FailedAttachVolume": "a volume cannot be attached to the node",
    "FailedMapVolume": "a block volume cannot be mapped",
    "FailedCreatePodSandBox": "the node cannot set up the pod's network or sandbox",
    "NetworkNotReady": "the network of the node is not ready",
}
_WITH_DETAILS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})  # others name a new id each time


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=10),
        "How long a pod may take to pull images and start. As long as a Deployment waits for progress "
        "(progressDeadlineSeconds, https://kubernetes.io/docs/concepts/workloads/controllers/deployment/"
        "#progress-deadline-seconds).",
    )
    failing_after: timedelta = threshold(
        timedelta(minutes=3),
        "The same when the kubelet says that a volume or the network fails. It waits about 2 min for volumes before it "
        "complains, and succeeds at the second attempt now and then; a judgement.",
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    if pod.phase != "Pending" or pod.deleted_at is not None:
        return ()
    if not pod.node:
        return () if pod.condition("PodScheduled") else (_unseen(pod, thresholds),)
    if _initializing(pod) or told_by_container(pod, now) or on_unready_node(pod, snapshot):
        return ()
    warning = oldest(about(pod, snapshot), _MEANINGS, now)
    reason = warning.reason if warning else ""
    if warning is None:
        cause = "no trouble is reported, so an image is large, or its registry or the node slow"
    elif reason in _WITH_DETAILS:
        cause = f"{_MEANINGS[reason]}: {warning.message}"
    else:
        cause = _MEANINGS[reason]
    return (
        Symptom(
            message=f"The pod has a node ({pod.node}) but does not start: {cause}",
            since=pod.scheduled_at or pod.started_at or pod.created_at,
            after=thresholds.failing_after if warning else thresholds.after,
            evidence={"node": pod.node, "warning": reason},
        ),
    )


def _initializing(pod: PodRow) -> bool:
    """Whether an init container is at work: its running is told elsewhere."""
    return any(status.init and status.state != "waiting" and not status.ready for status in pod.statuses)


def _unseen(pod: PodRow, thresholds: Thresholds) -> Symptom:
    return Symptom(
        message="No scheduler has looked at the pod: the one that its spec names does not run, or is not elected",
        since=pod.created_at,
        after=thresholds.failing_after,
        evidence={"node": "", "warning": ""},
    )


CHECK = Check(
    code="pod-pending",
    title="Pending too long",
    kind="Pod",
    severity=Severity.WARNING,
    summary="The pod has been placed on a node but its containers have not started: a large image, a volume or network "
    "that cannot be set up. Pods without a node, failing pulls and init containers have codes of their own.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Event", "Node"}),
    look_again=timedelta(minutes=1),
)
