"""Builders of healthy rows: name in a test only what matters to it. `a_snapshot` puts them into a real store."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from tests.support.clock import NOON

from common.cluster.rows import (
    Condition,
    Container,
    ContainerStatus,
    CronJobRow,
    DaemonSetRow,
    DeploymentRow,
    EndpointSliceRow,
    EventRow,
    HorizontalPodAutoscalerRow,
    JobRow,
    Labels,
    LeaseRow,
    NamespaceRow,
    NodeRow,
    OwnerRef,
    PersistentVolumeClaimRow,
    PersistentVolumeRow,
    PodDisruptionBudgetRow,
    PodRow,
    ReplicaSetRow,
    Resources,
    Row,
    Selector,
    ServiceRow,
    StatefulSetRow,
    Usage,
)
from common.cluster.snapshot import ApiHealth, Source, SourceState
from common.cluster.store import Store
from common.contracts.objects import ObjectKey

R = TypeVar("R", bound=Row)

NAMESPACE = "shop"
DAY_AGO = NOON - timedelta(days=1)
HOUR_AGO = NOON - timedelta(hours=1)
APP = {"app": "checkout"}
SMALL = Resources(cpu_millicores=100, memory_bytes=128 << 20)
LARGE = Resources(cpu_millicores=8000, memory_bytes=32 << 30, ephemeral_bytes=100 << 30, pods=110)


def owned_by(owner: Row) -> OwnerRef:
    return OwnerRef(kind=owner.kind, name=owner.name, uid=owner.uid)


def a_condition(type_: str, status: str = "True", **overrides: Any) -> Condition:
    return Condition(**({"type": type_, "status": status, "changed_at": HOUR_AGO} | overrides))


def a_container(name: str = "app", **overrides: Any) -> Container:
    spec = {"requests": SMALL, "limits": SMALL, "liveness": True, "readiness": True}
    return Container(name=name, **(spec | overrides))


def a_status(name: str = "app", **overrides: Any) -> ContainerStatus:
    return ContainerStatus(name=name, **({"ready": True, "state": "running"} | overrides))


def a_pod(name: str = "checkout-7d4b9c-x2x9z", **overrides: Any) -> PodRow:
    """Running and ready for an hour on node-1, with one container, which `requests`, `limits` and `qos` follow."""
    containers = overrides.get("containers", (a_container(),))
    healthy = {
        "labels": APP,
        "node": "node-1",
        "phase": "Running",
        "ready": True,
        "ready_changed_at": HOUR_AGO,
        "started_at": HOUR_AGO,
        "scheduled_at": HOUR_AGO,
        "created_at": HOUR_AGO,
        "containers": containers,
        "statuses": tuple(a_status(container.name) for container in containers),
        "requests": _sum([container.requests for container in containers], pods=1),
        "limits": _sum([container.limits for container in containers], pods=1),
        "qos": "Guaranteed" if any(c.requests != Resources() for c in containers) else "BestEffort",
    }
    return _row(PodRow, name, NAMESPACE, healthy | overrides)


def a_node(name: str = "node-1", *, zone: str = "zone-a", **overrides: Any) -> NodeRow:
    """Ready for a day, with nothing else the matter."""
    quiet = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
    healthy = {
        "labels": {"kubernetes.io/hostname": name} | ({"topology.kubernetes.io/zone": zone} if zone else {}),
        "conditions": (
            a_condition("Ready", reason="KubeletReady", changed_at=DAY_AGO, seen_at=NOON),
            *(a_condition(type_, "False", changed_at=DAY_AGO, seen_at=NOON) for type_ in quiet),
        ),
        "capacity": LARGE,
        "allocatable": LARGE,
        "kubelet_version": "v1.36.3",
    }
    return _row(NodeRow, name, "", healthy | overrides)


def a_lease(node: str = "node-1", **overrides: Any) -> LeaseRow:
    """Renewed just now."""
    return _row(LeaseRow, node, "kube-node-lease", {"holder": node, "renewed_at": NOON} | overrides)


def a_namespace(name: str = NAMESPACE, **overrides: Any) -> NamespaceRow:
    return _row(NamespaceRow, name, "", {"phase": "Active"} | overrides)


def a_deployment(name: str = "checkout", *, replicas: int = 3, **overrides: Any) -> DeploymentRow:
    healthy = {
        "strategy": "RollingUpdate",
        "revision": "1",
        "progress_deadline_seconds": 600,
        "conditions": (
            a_condition("Available", reason="MinimumReplicasAvailable"),
            a_condition("Progressing", reason="NewReplicaSetAvailable"),
        ),
    }
    return _row(DeploymentRow, name, NAMESPACE, _complete(replicas) | healthy | overrides)


def a_replica_set(name: str = "checkout-7d4b9c", *, replicas: int = 3, **overrides: Any) -> ReplicaSetRow:
    return _row(ReplicaSetRow, name, NAMESPACE, _complete(replicas) | {"revision": "1"} | overrides)


def a_stateful_set(name: str = "orders-db", *, replicas: int = 3, **overrides: Any) -> StatefulSetRow:
    revisions = {"revision": f"{name}-1", "current_revision": f"{name}-1", "strategy": "RollingUpdate"}
    return _row(StatefulSetRow, name, NAMESPACE, _complete(replicas) | revisions | overrides)


def a_daemon_set(name: str = "log-agent", *, replicas: int = 3, **overrides: Any) -> DaemonSetRow:
    return _row(DaemonSetRow, name, NAMESPACE, _complete(replicas) | {"strategy": "RollingUpdate"} | overrides)


def a_job(name: str = "import", **overrides: Any) -> JobRow:
    """Running for an hour."""
    running = {"active": 1, "completions": 1, "backoff_limit": 6, "started_at": HOUR_AGO, "created_at": HOUR_AGO}
    return _row(JobRow, name, NAMESPACE, running | overrides)


def a_cron_job(name: str = "nightly", **overrides: Any) -> CronJobRow:
    """Ran well an hour ago."""
    healthy = {
        "schedule": "0 * * * *",
        "last_scheduled_at": HOUR_AGO,
        "last_successful_at": HOUR_AGO + timedelta(minutes=1),
    }
    return _row(CronJobRow, name, NAMESPACE, healthy | overrides)


def an_hpa(name: str = "checkout", **overrides: Any) -> HorizontalPodAutoscalerRow:
    healthy = {
        "target_kind": "Deployment",
        "target_name": name,
        "min_replicas": 2,
        "max_replicas": 10,
        "current_replicas": 3,
        "desired_replicas": 3,
        "conditions": (
            a_condition("AbleToScale", reason="ReadyForNewScale"),
            a_condition("ScalingActive", reason="ValidMetricFound"),
            a_condition("ScalingLimited", "False", reason="DesiredWithinRange"),
        ),
    }
    return _row(HorizontalPodAutoscalerRow, name, NAMESPACE, healthy | overrides)


def a_pdb(name: str = "checkout", *, selector: Labels | Selector = APP, **overrides: Any) -> PodDisruptionBudgetRow:
    """Three healthy pods, of which one may go. `selector` may be a dict of labels or a Selector."""
    healthy = {
        "selector": selector if isinstance(selector, Selector) else Selector(labels=selector),
        "min_available": "2",
        "disruptions_allowed": 1,
        "current_healthy": 3,
        "desired_healthy": 2,
        "expected_pods": 3,
        "generation": 1,
        "observed_generation": 1,
    }
    return _row(PodDisruptionBudgetRow, name, NAMESPACE, healthy | overrides)


def a_claim(name: str = "data-orders-db-0", **overrides: Any) -> PersistentVolumeClaimRow:
    healthy = {"phase": "Bound", "volume": f"pv-{name}", "storage_class": "standard", "requested_bytes": 10 << 30}
    return _row(PersistentVolumeClaimRow, name, NAMESPACE, healthy | overrides)


def a_volume(name: str = "pv-data-orders-db-0", **overrides: Any) -> PersistentVolumeRow:
    healthy = {
        "phase": "Bound",
        "claim_namespace": NAMESPACE,
        "claim_name": name.removeprefix("pv-"),
        "reclaim_policy": "Delete",
        "storage_class": "standard",
        "phase_changed_at": DAY_AGO,
    }
    return _row(PersistentVolumeRow, name, "", healthy | overrides)


def a_service(name: str = "checkout", **overrides: Any) -> ServiceRow:
    return _row(ServiceRow, name, NAMESPACE, {"type": "ClusterIP", "selector": APP} | overrides)


def an_endpoint_slice(service: str = "checkout", **overrides: Any) -> EndpointSliceRow:
    return _row(EndpointSliceRow, f"{service}-x7k2p", NAMESPACE, {"service": service, "ready": 3} | overrides)


def a_warning(about: Row, reason: str = "Unhealthy", **overrides: Any) -> EventRow:
    """A Warning event about the row, seen once, just now."""
    seen = {
        "namespace": about.namespace or "default",
        "about": about.key,
        "about_uid": about.uid,
        "reason": reason,
        "message": f"{reason} happened",
        "first_at": NOON,
        "last_at": NOON,
        "created_at": NOON,
    }
    return _row(EventRow, f"{about.name}.{reason.lower()}", "", seen | overrides)


def a_usage(*, cpu_millicores: int = 50, memory_bytes: int = 64 << 20, **overrides: Any) -> Usage:
    """Measured just now."""
    measured = {"cpu_millicores": cpu_millicores, "memory_bytes": memory_bytes, "measured_at": NOON}
    return Usage(**(measured | overrides))


def a_snapshot(
    *rows: Row,
    usage: Mapping[ObjectKey, Usage] | None = None,
    sources: Mapping[str, SourceState] | None = None,
    api: ApiHealth | None = None,
    server_version: str = "v1.36.3",
) -> Store:
    """A store with these rows. Every source is synced and just heard, except for what `sources` says."""
    store = Store()
    for row in rows:
        store.apply(row)
    for kind in ("Node", "Pod"):
        store.set_usage(kind, {key: value for key, value in (usage or {}).items() if key.kind == kind})
    for kind in list(store.sources):
        state = (sources or {}).get(kind, SourceState.SYNCED)
        store.set_source(Source(kind=kind, state=state, heard_at=NOON))
    store.api = api or ApiHealth(requests=100, p99_seconds=0.02)
    store.server_version = server_version
    return store


def _row(kind: type[R], name: str, namespace: str, fields: dict[str, Any]) -> R:
    own = {"name": name, "namespace": namespace, "labels": {}, "annotations": {}, "created_at": DAY_AGO} | fields
    uid = f"{kind.__name__.removesuffix('Row')}-{own['namespace']}-{own['name']}".lower()
    return kind(**({"uid": uid, "resource_version": "1"} | own))


def _complete(replicas: int) -> dict[str, Any]:
    """What all workloads have whose every replica is up."""
    counts = ("replicas", "ready_replicas", "available_replicas", "updated_replicas", "current_replicas")
    rest = {"generation": 1, "observed_generation": 1, "labels": APP, "selector": Selector(labels=APP)}
    return dict.fromkeys(counts, replicas) | rest


def _sum(amounts: list[Resources], *, pods: int) -> Resources:
    return Resources(
        cpu_millicores=sum(amount.cpu_millicores for amount in amounts),
        memory_bytes=sum(amount.memory_bytes for amount in amounts),
        ephemeral_bytes=sum(amount.ephemeral_bytes for amount in amounts),
        pods=pods,
    )
