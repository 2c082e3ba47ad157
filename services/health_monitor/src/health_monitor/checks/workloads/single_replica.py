"""What the checks of workloads with a single replica have in common."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from common.cluster.rows import DeploymentRow, StatefulSetRow
from common.cluster.snapshot import ClusterSnapshot
from health_monitor.checks.check import Symptom, threshold
from health_monitor.checks.workloads.sight import sees


@dataclass(frozen=True, slots=True)
class SingleReplicaThresholds:
    without_service: bool = threshold(
        False,
        "Whether those that no Service selects are told as well. Nobody calls them: controllers and workers, most of "
        "which may be away for a moment. A judgement.",
    )


def run(
    workload: DeploymentRow | StatefulSetRow,
    snapshot: ClusterSnapshot,
    thresholds: SingleReplicaThresholds,
    _now: datetime,
) -> Iterable[Symptom]:
    if workload.replicas != 1 or workload.deleted_at is not None:
        return ()
    if not sees(snapshot, "PodDisruptionBudget"):
        return ()
    pod = next((pod for pod in snapshot.pods_of(workload.key) if not pod.finished), None)
    if pod is None or snapshot.pdbs_of(pod):
        return ()
    services = sorted(service.name for service in snapshot.services_of(pod))
    if not services and not thresholds.without_service:
        return ()
    who = f"Service {services[0]} rests on" if services else "The workload has"
    return (
        Symptom(
            message=f"{who} a single replica without a PodDisruptionBudget: each drain of its node interrupts it",
            evidence={"replicas": 1, "services": ", ".join(services)},
        ),
    )
