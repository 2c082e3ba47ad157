"""A container is about to reach its memory limit."""

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
        "Share of the limit in use. Popeye warns at 80 (https://popeyecli.io), which a sound cache reaches; what "
        "metrics.k8s.io reports is the working set, which the kernel cannot simply drop.",
        least=1,
        most=100,
    )
    after: timedelta = threshold(
        timedelta(minutes=5),
        "How long it may stay so high: longer than a peak that passes. A judgement, 20 samples of metrics-server.",
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    if not pod.limits.memory_bytes or pod.phase != "Running" or pod.deleted_at is not None:
        return ()
    return [
        _symptom(container, percent(used, limit), limit, thresholds)
        for container, (_, used), (_, limit) in measured(pod, snapshot)
        if limit and used * 100 >= limit * thresholds.percent
    ]


def _symptom(container: str, share: int, limit: int, thresholds: Thresholds) -> Symptom:
    return Symptom(
        message=f"Container {container} uses {share} % of its memory limit of {limit >> 20} MiB: the kernel "
        "kills it when it reaches the limit",
        after=thresholds.after,
        part=container,
        evidence={"container": container, "used_percent": share, "memory_limit_bytes": limit},
    )


CHECK = Check(
    code="pod-memory-near-limit",
    title="Memory near its limit",
    kind="Pod",
    severity=Severity.WARNING,
    summary="A container has used nearly all the memory that it may: one more request and the kernel kills it. Told "
    "only where metrics.k8s.io is served.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({POD_USAGE}),
)
