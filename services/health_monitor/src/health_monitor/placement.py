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


def zone_key(zone: str) -> ObjectKey:
    return ObjectKey(ZONE, "", zone)


def namespace_key(namespace: str) -> ObjectKey:
    return ObjectKey("Namespace", "", namespace)


def workload_of(row: Row, snapshot: ClusterSnapshot) -> ObjectKey:
    """The workload that a pod or a workload row belongs to: its top controller, or itself when it has none.

    An owner of a kind that is not watched (an operator's resource) counts only where nothing below it is a workload:
    of a Deployment that an operator made, the Deployment. A static pod's Node does not count at all.
    """
    if row.owner is None:
        return row.key
    chain = [row.key, *(key for key in snapshot.owners(row) if key.kind != "Node")]
    top = chain[-1]
    if len(chain) > 1 and top.kind not in TOP_KINDS and chain[-2].kind in TOP_KINDS:
        return chain[-2]
    return top


def is_group(row: Row, snapshot: ClusterSnapshot) -> bool:
    """Whether the row is itself a workload or a namespace, with a score that sums up members."""
    if isinstance(row, PodRow):
        return _counts(row) and workload_of(row, snapshot) == row.key
    if isinstance(row, WorkloadRow | JobRow | CronJobRow):
        return workload_of(row, snapshot) == row.key
    return isinstance(row, NamespaceRow)


def placement(row: Row, snapshot: ClusterSnapshot) -> Placement:
    """Where a row that is no group counts."""
    match row:
        case PodRow():
            return ((workload_of(row, snapshot), "pods"),) if _counts(row) else NOWHERE
        case NodeRow():
            cluster = (CLUSTER_KEY, "nodes")
            return ((zone_key(row.zone), "nodes"), cluster) if row.zone else (cluster,)
        case ServiceRow() | PersistentVolumeClaimRow() | HorizontalPodAutoscalerRow() | PodDisruptionBudgetRow():
            return ((namespace_key(row.namespace), "resources"), (CLUSTER_KEY, "resources"))
        case PersistentVolumeRow():
            return ((CLUSTER_KEY, "resources"),)
        case WorkloadRow() | JobRow() | CronJobRow() if row.kind != "ReplicaSet":  # old ones would thin out the mean
            return ((workload_of(row, snapshot), f"{row.kind.lower()}s"),)
        case _:
            return NOWHERE


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
