"""A container is held back by its CPU limit."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import POD_USAGE, Check, Symptom, threshold
from health_monitor.checks.pods.usage import measured, percent


@dataclass(frozen=True, slots=True)
class Thresholds:
    percent: int = threshold(
        90,
        "Share of the limit in use, on average over a sample of metrics-server; within it the container is throttled "
        "already. Popeye warns at 80 (https://popeyecli.io).",
        least=1,
        most=100,
    )
    after: timedelta = threshold(
        timedelta(minutes=15),
        "How long it may stay so high. kubernetes-mixin waits 15 min before it tells of throttling "
        "(https://github.com/kubernetes-monitoring/kubernetes-mixin).",
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    if not pod.limits.cpu_millicores or pod.phase != "Running" or pod.deleted_at is not None:
        return ()
    return [
        _symptom(container, percent(used, limit), limit, thresholds)
        for container, (used, _), (limit, _) in measured(pod, snapshot)
        if limit and used * 100 >= limit * thresholds.percent
    ]


def _symptom(container: str, share: int, limit: int, thresholds: Thresholds) -> Symptom:
    return Symptom(
        message=f"Container {container} uses {share} % of its CPU limit of {limit}m: it is throttled and "
        "answers slowly",
        after=thresholds.after,
        part=container,
        evidence={"container": container, "used_percent": share, "cpu_limit_millicores": limit},
    )


CHECK = Check(
    code="pod-cpu-near-limit",
    title="CPU near its limit",
    kind="Pod",
    severity=Severity.INFO,
    summary="A container wants as much CPU as it may have, and is held back: its latency suffers, nothing breaks. Told "
    "only where metrics.k8s.io is served.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({POD_USAGE}),
)
