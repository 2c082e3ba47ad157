"""Faults of pods: what their containers do, how they end, and what stays of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..api import Object, collection, path_of, wait_for
from ..errors import DevClusterError
from ..workloads import pods_of
from .switch import LABEL, WORKLOAD, Switches

if TYPE_CHECKING:
    from ..cluster import DevCluster

EVICTION_ROUNDS = 3


def _pod_path(pod: Object) -> str:
    return path_of(pod | {"apiVersion": "v1", "kind": "Pod"})


def _targeted(cluster: DevCluster, target: str | None) -> list[Object]:
    pods = pods_of(cluster.api, target or WORKLOAD)
    if not pods:
        raise DevClusterError(f"{target or WORKLOAD} has no pods; name a workload or a pod as namespace/name")
    return pods


def _afflicted(cluster: DevCluster, name: str, target: str | None) -> list[Object]:
    """The pods a fault is on, all or the target's; terminating ones too."""
    pods = cluster.api.items(f"{collection('v1/pods')}?labelSelector={LABEL}={name}")
    if target is None:
        return pods
    return [pod for pod in pods if _belongs(pod["metadata"], *target.split("/", 1))]


def _belongs(metadata: Object, namespace: str, name: str = "") -> bool:
    names = (metadata["name"], metadata.get("labels", {}).get("app.kubernetes.io/name"))
    return metadata["namespace"] == namespace and name in names


def labelled(name: str) -> Switches:
    """Switches of a fault that a pod's label makes the simulated kubelet show; new pods are healthy."""

    def on(cluster: DevCluster, target: str | None) -> None:
        for pod in _targeted(cluster, target):
            cluster.api.patch(_pod_path(pod), {"metadata": {"labels": {LABEL: name}}})

    def off(cluster: DevCluster, target: str | None) -> None:
        recovery = {"labels": {LABEL: "recovered"}, "annotations": {"devcluster/restart-after": "100ms"}}
        for pod in _afflicted(cluster, name, target):
            cluster.api.patch(_pod_path(pod), {"metadata": recovery})

    return on, off


def terminating_on(cluster: DevCluster, target: str | None) -> None:
    pod = _targeted(cluster, target)[0]
    cluster.api.patch(_pod_path(pod), {"metadata": {"labels": {LABEL: "stuck-terminating"}}})
    cluster.api.delete(_pod_path(pod))


def terminating_off(cluster: DevCluster, target: str | None) -> None:
    for pod in _afflicted(cluster, "stuck-terminating", target):
        cluster.api.patch(_pod_path(pod), {"metadata": {"labels": {LABEL: None}}})


def evicted_on(cluster: DevCluster, target: str | None) -> None:
    """Evicts all pods of the workload, round after round; its controller makes new ones, the old ones pile up."""
    size = len(_targeted(cluster, target))
    message = "The node was low on resource: ephemeral-storage."
    for _ in range(EVICTION_ROUNDS):
        for pod in wait_for("new pods", lambda: _running(cluster, target, size)):
            path = _pod_path(pod)
            cluster.api.patch(path, {"metadata": {"labels": {LABEL: "evicted-pile"}}})
            status = {"phase": "Failed", "reason": "Evicted", "message": message}
            cluster.api.patch(f"{path}/status", {"status": status})


def _running(cluster: DevCluster, target: str | None, size: int) -> list[Object] | None:
    pods = [pod for pod in pods_of(cluster.api, target or WORKLOAD) if pod["status"]["phase"] == "Running"]
    return pods if len(pods) >= size else None


def evicted_off(cluster: DevCluster, target: str | None) -> None:
    for pod in _afflicted(cluster, "evicted-pile", target):
        cluster.api.delete(_pod_path(pod))
