"""A Service has nobody to send requests to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow, Selector, ServiceRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.workloads.sight import scaled_to_zero, sees, unready_since


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=1),
        "How long no pod of the Service may be ready: longer than one pod takes to restart. A judgement.",
    )
    without_pods_after: timedelta = threshold(
        timedelta(minutes=10),
        "How long the Service may select no pod at all, and how long a new one may wait for its first endpoint. As "
        "long as a Deployment waits for progress (progressDeadlineSeconds, "
        "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#progress-deadline-seconds).",
    )


def run(service: ServiceRow, snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    if not service.selector or service.type == "ExternalName" or service.deleted_at is not None:
        return ()
    ready, _ = snapshot.endpoints_of(service)
    if ready or not sees(snapshot, "EndpointSlice") or not sees(snapshot, "Pod"):
        return ()
    selector = Selector(labels=service.selector)
    pods = [pod for pod in snapshot.pods_in(service.namespace) if not pod.finished and selector.matches(pod.labels)]
    if pods:
        return (_none_ready(service, pods, thresholds, now),)
    if scaled_to_zero(selector, service.namespace, snapshot):
        return ()
    return (_no_pods(service, thresholds),)


def _none_ready(service: ServiceRow, pods: list[PodRow], thresholds: Thresholds, now: datetime) -> Symptom:
    created = service.created_at
    new = created is not None and now - created < thresholds.without_pods_after
    return Symptom(
        message=f"None of the {len(pods)} pods of the Service is ready: every request to it fails",
        since=created if new else max(unready_since(pods, now), default=None),
        after=thresholds.without_pods_after if new else thresholds.after,
        evidence={"pods": len(pods), "selector": _written(service)},
    )


def _no_pods(service: ServiceRow, thresholds: Thresholds) -> Symptom:
    return Symptom(
        message=f"The Service selects no pod ({_written(service)}): its workload is gone or its labels were renamed",
        after=thresholds.without_pods_after,
        severity=Severity.WARNING,
        evidence={"pods": 0, "selector": _written(service)},
    )


def _written(service: ServiceRow) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(service.selector.items()))


CHECK = Check(
    code="service-no-endpoints",
    title="Service without a ready endpoint",
    kind="Service",
    severity=Severity.CRITICAL,
    summary="Nothing answers behind the Service. Critical where its pods exist but none is ready, a warning where it "
    "selects no pod; not told where its workload was scaled to zero.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"EndpointSlice"}),
    look_again=timedelta(minutes=1),  # what its pods do shows in the slices, but for those that never had an address
)
