"""How far a rollout is, by the workload's own status. Pure."""

import math

from common.cluster.rows import WorkloadRow

PERCENT = "%"


def under_way(workload: WorkloadRow) -> bool:
    """Whether pods of the newest template are still missing, or the controller has not looked at it yet."""
    return workload.observed_generation < workload.generation or not complete(workload)


def complete(workload: WorkloadRow) -> bool:
    """All pods are of the newest template and available, and none besides.

    As `kubectl rollout status` tells it, but for a StatefulSet's partition: pods below it keep the revision they have.
    """
    if workload.observed_generation < workload.generation:
        return False
    return (
        workload.updated_replicas >= workload.replicas - kept(workload)
        and workload.available_replicas >= workload.replicas
        and workload.current_replicas <= workload.replicas
    )


def kept(workload: WorkloadRow) -> int:
    """Pods of a StatefulSet that its partition leaves alone."""
    return min(workload.partition, workload.replicas)


def told(workload: WorkloadRow) -> str:
    wanted = workload.replicas - kept(workload)
    return f"{min(workload.updated_replicas, wanted)} of {wanted} pods are new, {workload.available_replicas} available"


def extra_pods(workload: WorkloadRow) -> int:
    """How many more pods than it has a rolling update may start: maxSurge, rounded up."""
    return _count(workload.max_surge, workload.replicas, up=True)


def missing_pods(workload: WorkloadRow) -> int:
    """How many pods a rolling update may be short of: maxUnavailable, rounded down; 1 when it may start none more."""
    missing = _count(workload.max_unavailable, workload.replicas, up=False)
    return missing if missing or extra_pods(workload) else 1


def _count(limit: str, replicas: int, *, up: bool) -> int:
    if not limit:
        return 0
    if not limit.endswith(PERCENT):
        return int(limit)
    part = int(limit.removesuffix(PERCENT)) * replicas / 100
    return math.ceil(part) if up else math.floor(part)
