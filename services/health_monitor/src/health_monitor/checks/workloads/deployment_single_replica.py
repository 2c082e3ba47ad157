"""A Deployment that others depend on has one replica and no disruption budget."""

from datetime import timedelta

from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.checks.workloads.single_replica import SingleReplicaThresholds, run

CHECK = Check(
    code="deployment-single-replica",
    title="Single replica behind a Service",
    kind="Deployment",
    severity=Severity.INFO,
    summary="One pod serves and nothing protects it: when its node is drained, upgraded or lost, the Service is down "
    "until the pod has started elsewhere. Told only of Deployments that a Service selects, unless asked for more.",
    run=run,
    thresholds=SingleReplicaThresholds(),
    reads=frozenset({"PodDisruptionBudget"}),
    look_again=timedelta(minutes=10),
)
