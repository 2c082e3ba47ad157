"""A container asks for no resources."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from common.cluster.rows import Container, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, NoThresholds, Symptom

_RESERVED = frozenset({"Burstable", "Guaranteed"})


def run(pod: PodRow, _snapshot: ClusterSnapshot, _thresholds: NoThresholds, _now: datetime) -> Iterable[Symptom]:
    for container in pod.containers:
        if _asks_nothing(container):
            break
    else:
        return ()
    if pod.finished or pod.mirror or pod.deleted_at is not None:
        return ()
    staying = [container for container in pod.containers if container.sidecar or not container.init]
    silent = tuple(container.name for container in staying if _asks_nothing(container))
    if len(silent) == len(staying) and pod.qos in _RESERVED:
        return ()  # the pod as a whole asks, or an init container does, whose place they inherit
    return _symptoms(silent)


def _asks_nothing(container: Container) -> bool:
    requests = container.requests
    return not requests.cpu_millicores and not requests.memory_bytes and (container.sidecar or not container.init)


@lru_cache(maxsize=4096)  # thousands of pods say the same: they share one answer
def _symptoms(containers: tuple[str, ...]) -> tuple[Symptom]:
    names = ", ".join(containers)
    ask = "Containers {} ask" if len(containers) > 1 else "Container {} asks"
    return (
        Symptom(
            message=f"{ask.format(names)} for neither CPU nor memory: the scheduler counts on nothing for it, and it "
            "is the first to be evicted when the node runs short",
            evidence={"containers": names},
        ),
    )


CHECK = Check(
    code="pod-no-requests",
    title="No requests set",
    kind="Pod",
    severity=Severity.INFO,
    summary="Without requests the scheduler may put too much on a node, and the pod is among the first to be evicted "
    "or killed there. Static pods are left out.",
    run=run,
    thresholds=NoThresholds(),
)
