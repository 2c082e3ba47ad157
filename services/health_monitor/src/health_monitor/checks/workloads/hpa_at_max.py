"""A HorizontalPodAutoscaler wants more replicas than it may have."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import HorizontalPodAutoscalerRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=15),
        "How long it may be held back. kubernetes-mixin waits 15 min in KubeHpaMaxedOut "
        "(https://github.com/kubernetes-monitoring/kubernetes-mixin).",
    )


def run(
    hpa: HorizontalPodAutoscalerRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime
) -> Iterable[Symptom]:
    limited = hpa.condition("ScalingLimited")
    if limited is None or limited.status != "True" or limited.reason != "TooManyReplicas":
        return ()
    if hpa.min_replicas >= hpa.max_replicas:
        return ()  # a fixed number of replicas, on purpose
    return (
        Symptom(
            message=f"{hpa.target_kind} {hpa.target_name} needs more than the {hpa.max_replicas} replicas that its "
            "autoscaler may give it: it is overloaded, or its target utilization is set too low",
            since=limited.changed_at,
            after=thresholds.after,
            evidence={
                "target": f"{hpa.target_kind}/{hpa.target_name}",
                "min_replicas": hpa.min_replicas,
                "max_replicas": hpa.max_replicas,
            },
        ),
    )


CHECK = Check(
    code="hpa-at-max",
    title="Autoscaler held back at its maximum",
    kind="HorizontalPodAutoscaler",
    severity=Severity.WARNING,
    summary="The load asks for more replicas than maxReplicas allows (ScalingLimited, TooManyReplicas). One that "
    "merely sits at its maximum, or whose minimum equals it, is not told.",
    run=run,
    thresholds=Thresholds(),
)
