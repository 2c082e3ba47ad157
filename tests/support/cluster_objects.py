"""Objects in a real cluster that look as a test needs them, whatever kubelets and controllers do."""

from typing import Any

from devcluster import DevCluster
from devcluster.api import collection

Json = dict[str, Any]


def a_bare_pod(namespace: str, name: str, **metadata: Any) -> Json:
    """A pod that no scheduler looks at, so that nobody but the test writes its status."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "app", "image": "app:1"}]},
    }


def evict(cluster: DevCluster, namespace: str, name: str, **metadata: Any) -> str:
    """An evicted pod of this name, which is one finding pod-evicted at once; its path."""
    path = f"{collection('v1/pods', namespace)}/{name}"
    cluster.api.create(a_bare_pod(namespace, name, **metadata))
    status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    cluster.api.patch(f"{path}/status", {"status": status})
    return path


def forget(cluster: DevCluster, namespace: str, name: str) -> None:
    """Delete the pod at once."""
    cluster.api.delete(f"{collection('v1/pods', namespace)}/{name}?gracePeriodSeconds=0")
