"""A StatefulSet that others depend on has one replica and no disruption budget."""

from datetime import timedelta

from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.checks.workloads.single_replica import SingleReplicaThresholds, run

CHECK = Check(
    code="statefulset-single-replica",
    title="Single replica behind a Service",
    kind="StatefulSet",
    severity=Severity.INFO,
    summary="One pod holds and serves the data, and nothing protects it: when its node is drained, upgraded or lost, "
    "the Service is down until pod and volume are elsewhere. Told only of those that a Service selects, unless more is "
    "asked for.",
    run=run,
    thresholds=SingleReplicaThresholds(),
    reads=frozenset({"PodDisruptionBudget"}),
    look_again=timedelta(minutes=10),
)
