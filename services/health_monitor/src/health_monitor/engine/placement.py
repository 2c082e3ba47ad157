"""Where an object counts: the workload of a pod, and the families of groups that each object lies in. Pure."""

from common.cluster.rows import (
    CronJobRow,
    HorizontalPodAutoscalerRow,
    JobRow,
    NamespaceRow,
    NodeRow,
    PersistentVolumeClaimRow,
    PersistentVolumeRow,
    PodDisruptionBudgetRow,
    PodRow,
    ReplicaSetRow,
    Row,
    ServiceRow,
    WorkloadRow,
)
from common.cluster.snapshot import ClusterSnapshot
from common.contracts.objects import CLUSTER, ZONE, ObjectKey

Placement = tuple[tuple[ObjectKey, str], ...]  # (group, family) pairs

CLUSTER_KEY = ObjectKey(CLUSTER, "", "")
TOP_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"})  # what people call a workload
NOWHERE: Placement = ()
PLACED_KINDS = frozenset(  # that count in scores, whether or not there are checks of them
    {"Namespace", "Node", "Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "CronJob", "Job", "Service"}
    | {"HorizontalPodAutoscaler", "PodDisruptionBudget", "PersistentVolume", "PersistentVolumeClaim"}
)


def zone_key(zone: str) -> ObjectKey:
    return ObjectKey(ZONE, "", zone)


def namespace_key(namespace: str) -> ObjectKey:
    return ObjectKey("Namespace", "", namespace)


def workload_of(row: Row, snapshot: ClusterSnapshot) -> ObjectKey:
    """The workload that a pod or a workload row belongs to: its top controller, or itself when it has none.

    An owner of a kind that is not watched (an operator's resource) counts only where nothing below it is a workload:
    of a Deployment that an operator made, the Deployment. A static pod's Node does not count at all.
    """
    top = key = row.key
    if row.owner is None:
        return key
    below = key
    for owner in snapshot.owners(row):
        if owner.kind == "Node":
            break
        below, top = top, owner
    return below if top.kind not in TOP_KINDS and below.kind in TOP_KINDS else top


def placement(row: Row, snapshot: ClusterSnapshot) -> Placement | None:
    """Where a row counts. None: it is itself a group, that is a namespace or a workload."""
    where: Placement | None = NOWHERE
    match row:
        case PodRow():
            where = _within(row, "pods", snapshot) if _counts(row) else NOWHERE
        case NodeRow():
            cluster = (CLUSTER_KEY, "nodes")
            where = ((zone_key(row.zone), "nodes"), cluster) if row.zone else (cluster,)
        case ServiceRow() | PersistentVolumeClaimRow() | HorizontalPodAutoscalerRow() | PodDisruptionBudgetRow():
            where = ((namespace_key(row.namespace), "resources"), (CLUSTER_KEY, "resources"))
        case PersistentVolumeRow():
            where = ((CLUSTER_KEY, "resources"),)
        case ReplicaSetRow() if workload_of(row, snapshot) != row.key:
            where = NOWHERE  # a Deployment's old ones would thin out the mean
        case WorkloadRow() | JobRow() | CronJobRow():
            where = _within(row, f"{row.kind.lower()}s", snapshot)
        case NamespaceRow():
            where = None
    return where


def _within(row: Row, family: str, snapshot: ClusterSnapshot) -> Placement | None:
    workload = workload_of(row, snapshot)
    return None if workload == row.key else ((workload, family),)


def homes_of_group(key: ObjectKey) -> Placement:
    """Where a group itself counts."""
    if key.kind == CLUSTER:
        return NOWHERE
    if key.kind in {ZONE, "Namespace"}:
        return ((CLUSTER_KEY, f"{key.kind.lower()}s"),)
    return ((namespace_key(key.namespace), "workloads"), (CLUSTER_KEY, "workloads"))


def _counts(pod: PodRow) -> bool:
    """A finished pod with an owner counts nothing: a controller has replaced it, or says itself that it gave up."""
    return not pod.finished or (pod.owner is None and pod.phase == "Failed")
