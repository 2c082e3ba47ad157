"""A Deployment that others depend on has one replica and no disruption budget."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from common.cluster.rows import DeploymentRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, NoThresholds, Symptom
from health_monitor.checks.workloads.sight import sees


def run(
    deployment: DeploymentRow, snapshot: ClusterSnapshot, _thresholds: NoThresholds, _now: datetime
) -> Iterable[Symptom]:
    if deployment.replicas != 1 or deployment.deleted_at is not None:
        return ()
    if not sees(snapshot, "PodDisruptionBudget"):
        return ()
    pod = next((pod for pod in snapshot.pods_of(deployment.key) if not pod.finished), None)
    if pod is None or snapshot.pdbs_of(pod):
        return ()
    services = sorted(service.name for service in snapshot.services_of(pod))
    if not services:
        return ()  # nobody calls it: a worker or controller that may be away for a moment
    return (
        Symptom(
            message=f"Service {services[0]} rests on a single replica without a PodDisruptionBudget: each drain of its "
            "node interrupts it",
            evidence={"replicas": 1, "services": ", ".join(services)},
        ),
    )


CHECK = Check(
    code="deployment-single-replica",
    title="Single replica behind a Service",
    kind="Deployment",
    severity=Severity.INFO,
    summary="One pod serves and nothing protects it: when its node is drained, upgraded or lost, the Service is down "
    "until the pod has started elsewhere. Told only of Deployments that a Service selects.",
    run=run,
    thresholds=NoThresholds(),
    reads=frozenset({"PodDisruptionBudget"}),
    look_again=timedelta(minutes=10),
)
