"""A HorizontalPodAutoscaler cannot read what it scales by."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import HorizontalPodAutoscalerRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold

_RESOURCE_METRICS = frozenset({"FailedGetResourceMetric", "FailedGetContainerResourceMetric"})
_HINT = "is metrics-server up, and do all containers of the target have requests?"
_OTHER_HINT = "is the adapter that serves the metric up?"


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=5),
        "How long metrics may be missing. The metrics of new pods are ignored for 5 min after their start "
        "(horizontal-pod-autoscaler-cpu-initialization-period, https://kubernetes.io/docs/tasks/run-application/"
        "horizontal-pod-autoscale/).",
    )


def run(
    hpa: HorizontalPodAutoscalerRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime
) -> Iterable[Symptom]:
    active = hpa.condition("ScalingActive")
    if active is None or active.status != "False" or active.reason == "ScalingDisabled":  # disabled: target at zero
        return ()
    hint = _HINT if active.reason in _RESOURCE_METRICS else _OTHER_HINT
    return (
        Symptom(
            message=f"{hpa.target_kind} {hpa.target_name} stays at {hpa.current_replicas} replicas whatever its load, "
            f"since the autoscaler cannot read its metrics ({active.reason}): {hint}",
            since=active.changed_at,
            after=thresholds.after,
            evidence={
                "reason": active.reason,
                "target": f"{hpa.target_kind}/{hpa.target_name}",
                "replicas": hpa.current_replicas,
            },
        ),
    )


CHECK = Check(
    code="hpa-no-metrics",
    title="Autoscaler cannot read metrics",
    kind="HorizontalPodAutoscaler",
    severity=Severity.WARNING,
    summary="ScalingActive is False: the autoscaler is blind and does not follow the load, neither up nor down. An "
    "autoscaler whose target was scaled to zero is off on purpose and not told.",
    run=run,
    thresholds=Thresholds(),
)
