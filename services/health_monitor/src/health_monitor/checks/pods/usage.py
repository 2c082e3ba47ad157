"""What the checks of measured usage have in common."""

from collections.abc import Iterator

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey


def measured(pod: PodRow, snapshot: ClusterSnapshot) -> Iterator[tuple[str, tuple[int, int], tuple[int, int]]]:
    """Name, usage and limit of each measured container, both as (millicores, bytes). A limit of 0 is none."""
    usage = snapshot.usage_of(ObjectKey("Pod", pod.namespace, pod.name))
    if usage is None:
        return
    for container in pod.containers:
        used = usage.containers.get(container.name)
        if used is not None:
            yield container.name, used, (container.limits.cpu_millicores, container.limits.memory_bytes)


def percent(used: int, limit: int) -> int:
    """Share of the limit in per cent, rounded down."""
    return used * 100 // limit
