"""Each fault is seen in the real API server when it is on, and gone some time after it is off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devcluster import DevCluster, DevClusterError, Settings, testing
from devcluster.api import collection, wait_for
from devcluster.faults import FAULTS
from devcluster.workloads import Workload, pods_of, set_usage, workload_objects

pytestmark = pytest.mark.cluster

Seen = Callable[[DevCluster], Any]


@pytest.fixture(scope="module")
def cluster() -> Iterator[DevCluster]:
    settings = Settings(nodes=3, metrics=True, node_grace_seconds=6)
    with testing.private_cluster(settings) as cluster:
        for name in ("shop", "payments"):
            cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for body in workload_objects(Workload("shop", "checkout", 2), replicas=2):
            cluster.api.create(body)
        wait_for("the shop", lambda: len(ready_pods(cluster)) == 2)
        yield cluster


def ready_pods(cluster: DevCluster) -> list[dict[str, Any]]:
    return [pod for pod in pods_of(cluster.api, "shop/checkout") if condition(pod, "Ready") == "True"]


def condition(thing: dict[str, Any], kind: str) -> str | None:
    return next((c["status"] for c in thing["status"].get("conditions", []) if c["type"] == kind), None)


def node_condition(kind: str, status: str) -> Seen:
    return lambda cluster: any(condition(node, kind) == status for node in cluster.api.items(collection("v1/nodes")))


def node_taint(key: str) -> Seen:
    def seen(cluster: DevCluster) -> bool:
        nodes = cluster.api.items(collection("v1/nodes"))
        return any(taint["key"] == key for node in nodes for taint in node["spec"].get("taints", []))

    return seen


def container(path: str, value: str) -> Seen:
    """Whether some pod has a container status with a value at a path such as ``state.waiting.reason``."""

    def seen(cluster: DevCluster) -> bool:
        for pod in cluster.api.items(collection("v1/pods")):
            for status in pod["status"].get("containerStatuses", []):
                found: Any = status
                for part in path.split("."):
                    found = found.get(part, {})
                if found == value:
                    return True
        return False

    return seen


def warning(reason: str) -> Seen:
    return lambda cluster: cluster.api.items(f"{collection('v1/events')}?fieldSelector=reason={reason}")


def any_pod(test: Callable[[dict[str, Any]], Any]) -> Seen:
    return lambda cluster: any(test(pod) for pod in cluster.api.items(collection("v1/pods")))


def failed_jobs(cluster: DevCluster) -> bool:
    jobs = cluster.api.items(collection("batch/v1/jobs"))
    return sum(condition(job, "Failed") == "True" for job in jobs) == 3


def stuck_claim(cluster: DevCluster) -> bool:
    claims = cluster.api.items(collection("v1/persistentvolumeclaims"))
    waiting = any_pod(lambda pod: pod["metadata"]["name"].startswith("archive") and "nodeName" not in pod["spec"])
    return any(claim["status"]["phase"] == "Pending" for claim in claims) and waiting(cluster)


def slow(cluster: DevCluster) -> bool:
    started = time.monotonic()
    cluster.api.get("/version")
    return time.monotonic() - started > 0.1


def no_metrics(cluster: DevCluster) -> bool:
    api = cluster.api.get("/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io")
    return condition(api, "Available") != "True" or "metrics-server" not in cluster.processes()


SEEN: dict[str, list[Seen]] = {
    "node-dark": [node_condition("Ready", "Unknown"), node_taint("node.kubernetes.io/unreachable")],
    "node-not-ready": [node_condition("Ready", "False"), node_taint("node.kubernetes.io/not-ready")],
    "disk-pressure": [node_condition("DiskPressure", "True"), node_taint("node.kubernetes.io/disk-pressure")],
    "memory-pressure": [node_condition("MemoryPressure", "True"), node_taint("node.kubernetes.io/memory-pressure")],
    "pid-pressure": [node_condition("PIDPressure", "True"), node_taint("node.kubernetes.io/pid-pressure")],
    "crash-loop": [container("state.waiting.reason", "CrashLoopBackOff"), warning("BackOff")],
    "oom-kill": [container("lastState.terminated.reason", "OOMKilled")],
    "image-pull-error": [container("state.waiting.reason", "ImagePullBackOff")],
    "stuck-terminating": [any_pod(lambda pod: "deletionTimestamp" in pod["metadata"])],
    "pending-capacity": [warning("FailedScheduling")],
    "failing-probes": [lambda cluster: not ready_pods(cluster), warning("Unhealthy")],
    "evicted-pile": [lambda c: len([p for p in pods_of(c.api, "shop/checkout") if is_evicted(p)]) == 6],
    "failed-jobs": [failed_jobs],
    "bad-rollout": [container("state.waiting.reason", "CrashLoopBackOff"), lambda c: len(ready_pods(c)) == 2],
    "stuck-pvc": [stuck_claim],
    "api-server-stopped": [lambda cluster: not cluster.api.ready()],
    "api-server-slow": [slow],
    "metrics-gone": [no_metrics],
}


def is_evicted(pod: dict[str, Any]) -> bool:
    return pod["status"].get("reason") == "Evicted"


PRESSURES = ("DiskPressure", "MemoryPressure", "PIDPressure")


def healthy(cluster: DevCluster) -> bool:
    """Two ready pods and nothing else in the shop, all nodes fine, all components there."""
    pods = cluster.api.items(collection("v1/pods"))
    nodes = cluster.api.items(collection("v1/nodes"))
    return (
        len(pods) == len(ready_pods(cluster)) == 2
        and all(condition(node, "Ready") == "True" and not node["spec"].get("taints") for node in nodes)
        and not any(
            condition(node, f"{kind}Pressure") == "True" for node in nodes for kind in ("Disk", "Memory", "PID")
        )
        and len(cluster.processes()) == 6
    )


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS])
def test_a_fault_is_seen_while_it_is_on_and_gone_when_it_is_off(cluster: DevCluster, name: str) -> None:
    cluster.api.delete(collection("v1/events", "shop"))
    fault = cluster.fault(name)
    fault.on()
    try:
        for seen in SEEN[name]:
            wait_for(f"{name}", lambda seen=seen: seen(cluster))
    finally:
        fault.off()
    wait_for(f"the end of {name}", lambda: healthy(cluster), 90)


def test_an_unknown_fault_is_refused_with_the_names_there_are(cluster: DevCluster) -> None:
    with pytest.raises(DevClusterError, match=r"no fault 'meteor'; there are node-dark, .*metrics-gone"):
        cluster.fault("meteor")


def test_an_autoscaler_follows_the_usage_that_pods_report(cluster: DevCluster) -> None:
    for body in workload_objects(Workload("payments", "gateway", 1, autoscaled=True), replicas=1):
        cluster.api.create(body)
    path = collection("apps/v1/deployments", "payments") + "/gateway"
    wait_for("the gateway", lambda: cluster.api.get(path)["status"].get("readyReplicas") == 1)
    set_usage(cluster.api, "payments/gateway", cpu="400m")  # of 100m requested, where 70 % is the aim
    wait_for("the second pod", lambda: cluster.api.get(path)["spec"]["replicas"] == 2, 180)
