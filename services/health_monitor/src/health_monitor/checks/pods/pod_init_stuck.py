"""An init container does not come to its end."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.containers import told_by_container
from health_monitor.checks.pods.nodes import on_unready_node


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=10),
        "How long initialization may take. As long as a Deployment waits for progress (progressDeadlineSeconds, "
        "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#progress-deadline-seconds).",
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    if pod.phase != "Pending" or not pod.node or pod.deleted_at is not None:
        return ()
    at_work = next((s for s in pod.statuses if s.init and s.state != "waiting" and not s.ready), None)
    if at_work is None or told_by_container(pod, now) or on_unready_node(pod, snapshot):
        return ()
    initialized = pod.condition("Initialized")
    doing = "still runs" if at_work.state == "running" else f"ended with exit code {at_work.exit_code}"
    return (
        Symptom(
            message=f"The pod waits for init container {at_work.name}, which {doing}: it likely waits for something "
            "that does not come, such as a database or another service",
            since=(initialized and initialized.changed_at) or pod.scheduled_at or pod.created_at,
            after=thresholds.after,
            part=at_work.name,
            evidence={"container": at_work.name, "state": at_work.state},
        ),
    )


CHECK = Check(
    code="pod-init-stuck",
    title="Initialization does not end",
    kind="Pod",
    severity=Severity.WARNING,
    summary="Initialized is False: the containers of the pod start only when every init container has ended well, and "
    "one of them has been at it for long.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Node"}),
)
