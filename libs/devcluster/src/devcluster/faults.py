"""Faults by name, on and off, as a real cluster shows them.

What a kubelet would report is a label that the simulated kubelet obeys, or a status it does not overwrite; everything
that follows (taints, evictions, failed rollouts) is the work of the real controllers. A fault is switched off on its
target, or, where none is given, wherever it is on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import processes
from .api import STRATEGIC_PATCH, Object, collection, path_of, wait_for
from .errors import DevClusterError
from .kwokctl import NODE_LABEL
from .nodes import NODES
from .workloads import pods_of

if TYPE_CHECKING:
    from .cluster import DevCluster

LABEL = "devcluster/fault"
IMAGE_BEFORE = "devcluster/image-before"
WORKLOAD = "shop/checkout"
EVICTION_ROUNDS = 3

Switch = Callable[["DevCluster", str | None], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault; ``target`` says what it takes ("node", "namespace/name") and what it falls back to."""

    name: str
    about: str
    target: str
    on: Switch
    off: Switch


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault of one cluster with its target."""

    cluster: DevCluster
    fault: Fault
    target: str | None

    def on(self) -> None:
        self.fault.on(self.cluster, self.target)

    def off(self) -> None:
        self.fault.off(self.cluster, self.target)


def fault_named(name: str) -> Fault:
    """Raises DevClusterError with the names there are."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise DevClusterError(f"there is no fault {name!r}; there are {', '.join(fault.name for fault in FAULTS)}")


# Nodes


def _chosen_nodes(cluster: DevCluster, target: str | None, selector: str = NODE_LABEL) -> list[str]:
    """The node that is named, or all that match the selector."""
    if target:
        return [target]
    return [node["metadata"]["name"] for node in cluster.api.items(f"{NODES}?labelSelector={selector}")]


def _label_node(cluster: DevCluster, node: str, label: str, value: str | None) -> None:
    cluster.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {label: value}}})


def _dark_on(cluster: DevCluster, target: str | None) -> None:
    _label_node(cluster, _chosen_nodes(cluster, target)[0], NODE_LABEL, "dark")


def _dark_off(cluster: DevCluster, target: str | None) -> None:
    for node in _chosen_nodes(cluster, target, f"{NODE_LABEL}=dark"):
        _label_node(cluster, node, NODE_LABEL, "alive")


def _condition(name: str, kind: str, bad: tuple[str, str, str], good: tuple[str, str, str]) -> tuple[Switch, Switch]:
    """Switches of a node condition; ``bad`` and ``good`` are its status, reason and message."""

    def write(cluster: DevCluster, node: str, content: tuple[str, str, str]) -> None:
        status, reason, message = content
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": kind, "status": status, "reason": reason, "message": message}
        condition |= {"lastTransitionTime": now, "lastHeartbeatTime": now}
        cluster.api.patch(f"{NODES}/{node}/status", {"status": {"conditions": [condition]}}, STRATEGIC_PATCH)

    def on(cluster: DevCluster, target: str | None) -> None:
        node = _chosen_nodes(cluster, target)[0]
        _label_node(cluster, node, LABEL, name)
        write(cluster, node, bad)

    def off(cluster: DevCluster, target: str | None) -> None:
        for node in _chosen_nodes(cluster, target, f"{LABEL}={name}"):
            _label_node(cluster, node, LABEL, None)
            write(cluster, node, good)

    return on, off


def _pressure(resource: str, words: str) -> tuple[Switch, Switch]:
    return _condition(
        f"{resource.lower()}-pressure",
        f"{resource}Pressure",
        ("True", f"KubeletHas{resource}Pressure", f"kubelet has {words} pressure"),
        ("False", f"KubeletHasNo{resource}Pressure", f"kubelet has no {words} pressure"),
    )


# Pods


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


def _pods(name: str) -> tuple[Switch, Switch]:
    """Switches of a fault that a pod's label makes the simulated kubelet show; new pods are healthy."""

    def on(cluster: DevCluster, target: str | None) -> None:
        for pod in _targeted(cluster, target):
            cluster.api.patch(_pod_path(pod), {"metadata": {"labels": {LABEL: name}}})

    def off(cluster: DevCluster, target: str | None) -> None:
        recovery = {"labels": {LABEL: "recovered"}, "annotations": {"devcluster/restart-after": "100ms"}}
        for pod in _afflicted(cluster, name, target):
            cluster.api.patch(_pod_path(pod), {"metadata": recovery})

    return on, off


def _terminating_on(cluster: DevCluster, target: str | None) -> None:
    pod = _targeted(cluster, target)[0]
    cluster.api.patch(_pod_path(pod), {"metadata": {"labels": {LABEL: "stuck-terminating"}}})
    cluster.api.delete(_pod_path(pod))


def _terminating_off(cluster: DevCluster, target: str | None) -> None:
    for pod in _afflicted(cluster, "stuck-terminating", target):
        cluster.api.patch(_pod_path(pod), {"metadata": {"labels": {LABEL: None}}})


def _evicted_on(cluster: DevCluster, target: str | None) -> None:
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


def _evicted_off(cluster: DevCluster, target: str | None) -> None:
    for pod in _afflicted(cluster, "evicted-pile", target):
        cluster.api.delete(_pod_path(pod))


# Workloads


def _rollout(name: str, label: str, tag: str) -> tuple[Switch, Switch]:
    """Switches of a new revision of a Deployment that never gets ready; rolling back heals it."""

    def on(cluster: DevCluster, target: str | None) -> None:
        path = _deployment_path(target or WORKLOAD)
        deployment = cluster.api.get(path)
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        broken = f"{image.rpartition(':')[0] or image}:{tag}"
        _revise(cluster, deployment, image=broken, label=label, before={IMAGE_BEFORE: image, LABEL: name})

    def off(cluster: DevCluster, target: str | None) -> None:
        everywhere = cluster.api.items(collection("apps/v1/deployments"))
        chosen = [cluster.api.get(_deployment_path(target))] if target else everywhere
        for deployment in chosen:
            annotations = deployment["metadata"].get("annotations", {})
            if annotations.get(LABEL) == name:
                before = {IMAGE_BEFORE: None, LABEL: None}
                _revise(cluster, deployment, image=annotations[IMAGE_BEFORE], label=None, before=before)

    return on, off


def _revise(cluster: DevCluster, deployment: Object, *, image: str, label: str | None, before: Object) -> None:
    metadata = deployment["metadata"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]["name"]
    template = {
        "metadata": {"labels": {LABEL: label}},
        "spec": {"containers": [{"name": container, "image": image}]},
    }
    # Ten minutes is the default until a rollout counts as failed; half a minute makes it visible.
    spec = {"template": template, "progressDeadlineSeconds": 30 if label else 600}
    path = _deployment_path(f"{metadata['namespace']}/{metadata['name']}")
    cluster.api.patch(path, {"metadata": {"annotations": before}, "spec": spec}, STRATEGIC_PATCH)


def _deployment_path(target: str) -> str:
    namespace, _, name = target.partition("/")
    return f"{collection('apps/v1/deployments', namespace)}/{name}"


def _objects(default: str, make: Callable[[str, str], list[Object]]) -> tuple[Switch, Switch]:
    """Switches of a fault that consists of objects of its own, named after the target."""

    def bodies(target: str | None) -> list[Object]:
        namespace, _, name = (target or default).partition("/")
        return make(namespace, name)

    def on(cluster: DevCluster, target: str | None) -> None:
        for body in bodies(target):
            cluster.api.create(body)

    def off(cluster: DevCluster, target: str | None) -> None:
        for body in bodies(target):
            cluster.api.delete(path_of(body), {"propagationPolicy": "Background"})

    return on, off


def _pod_template(name: str, **spec: object) -> Object:
    container: Object = {"name": "main", "image": f"registry.example/{name}:1.0.0"}
    container |= {key: spec.pop(key) for key in ("resources", "volumeMounts") if key in spec}
    labels = {"app.kubernetes.io/name": name}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}


def _deployment(namespace: str, name: str, template: Object, replicas: int) -> Object:
    selector = {"matchLabels": {"app.kubernetes.io/name": name}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }


def _too_big(namespace: str, name: str) -> list[Object]:
    template = _pod_template(name, resources={"requests": {"cpu": "500"}})
    return [_deployment(namespace, name, template, replicas=2)]


def _failing_jobs(namespace: str, name: str) -> list[Object]:
    template = _pod_template(name, restartPolicy="Never")
    template["metadata"]["labels"][LABEL] = "failed-jobs"
    return [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"{name}-{number}", "namespace": namespace},
            "spec": {"backoffLimit": 0, "template": template},
        }
        for number in (1, 2, 3)
    ]


def _unbound(namespace: str, name: str) -> list[Object]:
    resources = {"requests": {"storage": "100Gi"}}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "no-such-class", "resources": resources},
    }
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
    template = _pod_template(name, volumes=volumes, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    return [claim, _deployment(namespace, name, template, replicas=1)]


# The control plane


def _stopped_on(cluster: DevCluster, _: str | None) -> None:
    cluster.stop("kube-apiserver")


def _metrics_on(cluster: DevCluster, _: str | None) -> None:
    if "metrics-server" not in cluster.processes():
        raise DevClusterError(
            "metrics-server does not run in this cluster; start it with metrics: devcluster up --metrics"
        )
    cluster.stop("metrics-server")


def _start(cluster: DevCluster, _: str | None) -> None:
    cluster.start()


def _slow_on(cluster: DevCluster, _: str | None) -> None:
    processes.slow_down(cluster.home, cluster.processes()["kube-apiserver"], cluster.work / "pids" / "slow-down.pid")


def _slow_off(cluster: DevCluster, _: str | None) -> None:
    cluster.stop("slow-down")
    processes.resume(cluster.processes()["kube-apiserver"])


_NODE, _PODS, _NONE = "a node", f"namespace/workload or namespace/pod, else {WORKLOAD}", "-"
_NOT_READY = ("False", "KubeletNotReady", "container runtime network not ready: cni plugin not initialized")
_READY = ("True", "KubeletReady", "kubelet is posting ready status")

FAULTS = (
    Fault("node-dark", "a node falls silent: no lease, no status, its pods are stuck", _NODE, _dark_on, _dark_off),
    Fault(
        "node-not-ready",
        "a node's kubelet reports that it is not ready",
        _NODE,
        *_condition("node-not-ready", "Ready", _NOT_READY, _READY),
    ),
    Fault("disk-pressure", "a node runs out of disk", _NODE, *_pressure("Disk", "disk")),
    Fault("memory-pressure", "a node runs out of memory", _NODE, *_pressure("Memory", "memory")),
    Fault("pid-pressure", "a node runs out of process ids", _NODE, *_pressure("PID", "PID")),
    Fault("crash-loop", "pods crash and are restarted, again and again", _PODS, *_pods("crash-loop")),
    Fault("oom-kill", "containers are killed for lack of memory, again and again", _PODS, *_pods("oom-kill")),
    Fault(
        "image-pull-error",
        "a new revision's image cannot be pulled",
        _PODS,
        *_rollout("image-pull-error", "image-pull-error", "no-such-tag"),
    ),
    Fault("stuck-terminating", "a deleted pod does not go", _PODS, _terminating_on, _terminating_off),
    Fault(
        "pending-capacity",
        "pods ask for more than any node has",
        "namespace/name to make, else shop/forecast",
        *_objects("shop/forecast", _too_big),
    ),
    Fault("failing-probes", "readiness probes fail, containers run on", _PODS, *_pods("failing-probes")),
    Fault("evicted-pile", "evicted pods pile up", _PODS, _evicted_on, _evicted_off),
    Fault(
        "failed-jobs",
        "jobs fail",
        "namespace/name to make, else payments/report",
        *_objects("payments/report", _failing_jobs),
    ),
    Fault(
        "bad-rollout",
        "a new revision crash-loops, the rollout is stuck",
        _PODS,
        *_rollout("bad-rollout", "crash-loop", "2.0.0"),
    ),
    Fault(
        "stuck-pvc",
        "a claim of a storage class that is not there, and a pod that waits for it",
        "namespace/name to make, else shop/archive",
        *_objects("shop/archive", _unbound),
    ),
    Fault("api-server-stopped", "the API server is killed", _NONE, _stopped_on, _start),
    Fault("api-server-slow", "the API server works a fifth of the time", _NONE, _slow_on, _slow_off),
    Fault("metrics-gone", "metrics-server is killed", _NONE, _metrics_on, _start),
)
