"""Very large clusters: objects written straight to the API server with their status, and snapshots of the result.

Nothing schedules or runs these pods, so that 150,000 of them take minutes and not hours. Owner chains, labels,
requests and sizes are those of real pods.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import aiohttp

from .api import MERGE_PATCH, Object, path_of, tls
from .binaries import cache
from .binaries.catalog import GROUPS
from .binaries.progress import Progress, say
from .cluster import DevCluster
from .errors import DevClusterError
from .nodes import nodes
from .settings import Settings

Item = TypeVar("Item")

CONNECTIONS = 64
PODS_PER_WORKLOAD = 10
WORKLOADS_PER_NAMESPACE = 25
# Changes when what is written changes, so that an old snapshot is not taken for a new one.
LAYOUT = 1


def filled(settings: Settings, *, pods: int, owner: int | None = None) -> DevCluster:
    """A running cluster with ``settings.nodes`` nodes and so many pods: from a snapshot where there is one, else filled
    in and kept as a snapshot for the next time. Raises DevClusterError and leaves nothing behind."""
    if pods and not settings.nodes:
        raise DevClusterError("there is no node to put pods on; ask for one at least")
    snapshot = snapshot_file(settings, pods)
    cluster = DevCluster(replace(settings, nodes=0)).up(owner=owner)
    try:
        if snapshot.exists():
            cluster.restore_snapshot(snapshot)
        else:
            fill(cluster, settings, pods=pods)
            cluster.save_snapshot(snapshot)
            say(f"kept for the next time in {snapshot}")
        cluster.settings = settings
        cluster.remember()
    except BaseException:
        cluster.down()
        raise
    return cluster


def snapshot_file(settings: Settings, pods: int) -> Path:
    """Where the snapshot of a filled cluster is cached: by what is in it and the versions that wrote it."""
    pools = [asdict(pool) for pool in settings.pools]
    content = [settings.nodes, settings.zones, pools, pods, GROUPS["control-plane"].version, LAYOUT]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    return cache.root() / "snapshots" / f"{settings.nodes}-nodes-{pods}-pods-{key}.db"


def fill(cluster: DevCluster, settings: Settings, *, pods: int) -> None:
    """Writes nodes, namespaces, Deployments, ReplicaSets and running pods. Raises DevClusterError.

    The controllers stand still meanwhile, or they would make and delete pods of their own.
    """
    paused = [name for name in ("kube-controller-manager", "kwok-controller") if name in cluster.processes()]
    for component in paused:
        cluster.stop(component)
    with Progress(f"writing {settings.nodes} nodes and {pods} pods") as progress:
        asyncio.run(_write(cluster.kubeconfig, settings, pods, progress))
    if paused:
        cluster.start()


async def _write(kubeconfig: Path, settings: Settings, pods: int, progress: Progress) -> None:
    fleet = nodes(settings)
    names = [node["metadata"]["name"] for node in fleet]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    starts = range(0, pods, PODS_PER_WORKLOAD)
    workloads = [_Workload(number, min(PODS_PER_WORKLOAD, pods - start), now) for number, start in enumerate(starts)]
    namespaces = list(dict.fromkeys(workload.namespace for workload in workloads))
    async with _writer(kubeconfig) as writer:

        async def write_pod(number: int) -> None:
            await writer.create(workloads[number // PODS_PER_WORKLOAD].pod(number, names[number % len(names)]))

        await _each("nodes", [_ready(node, now) for node in fleet], writer.create, progress)
        await _each("namespaces", namespaces, writer.create_namespace, progress)
        await _each("workloads", workloads, lambda workload: workload.create(writer), progress)
        await _each("pods", range(pods), write_pod, progress)


class _Writer:
    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def create(self, body: Object) -> str:
        """Makes an object and, in a second request, its status; its uid. One that is there already is kept."""
        path = path_of(body)
        made = await self._ask("POST", path.rpartition("/")[0], body)
        if "status" in body and body["kind"] != "Node":  # a node's status is taken with its creation
            await self._ask("PATCH", f"{path}/status", {"status": body["status"]})
        return str(made.get("metadata", {}).get("uid", ""))

    async def create_namespace(self, name: str) -> None:
        await self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        # The controller that makes this account may not run, and no pod is accepted without it.
        account = {"name": "default", "namespace": name}
        await self.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})

    async def _ask(self, method: str, path: str, body: Object) -> Object:
        headers = {"content-type": MERGE_PATCH if method == "PATCH" else "application/json"}
        async with self._session.request(method, self._server + path, json=body, headers=headers) as answer:
            content: Object = await answer.json()
            if answer.status >= 400 and answer.status != 409:
                raise DevClusterError(f"{method} {path}: {answer.status} {content.get('message')}")
            return content


@asynccontextmanager
async def _writer(kubeconfig: Path) -> AsyncIterator[_Writer]:
    server, context = tls(kubeconfig)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield _Writer(session, server)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise DevClusterError(f"the API server broke off: {error or type(error).__name__}") from error


async def _each(
    what: str, items: Sequence[Item], write: Callable[[Item], Awaitable[object]], progress: Progress
) -> None:
    """Calls ``write`` for every item, so many at a time as there are connections; the first error ends it."""
    source = iter(enumerate(items, start=1))

    async def work() -> None:
        for number, item in source:
            await write(item)
            progress.update(f"{number} of {len(items)} {what}")

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CONNECTIONS):
                tasks.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


class _Workload:
    """A Deployment, its one ReplicaSet and their pods, as their controllers would have left them."""

    def __init__(self, number: int, replicas: int, now: str) -> None:
        self.namespace = f"team-{number // WORKLOADS_PER_NAMESPACE:03d}"
        self._name = f"service-{number % WORKLOADS_PER_NAMESPACE:02d}"
        self._hash = hashlib.sha256(f"{number}".encode()).hexdigest()[:10]
        self._labels = {"app.kubernetes.io/name": self._name, "pod-template-hash": self._hash}
        self._replicas = replicas
        self._now = now
        self._replica_set_uid = ""

    async def create(self, writer: _Writer) -> None:
        count = self._replicas
        selector = {"matchLabels": {"app.kubernetes.io/name": self._name}}
        status = {"replicas": count, "readyReplicas": count, "availableReplicas": count, "observedGeneration": 1}
        spec = {"replicas": count, "selector": selector, "template": self._template()}
        deployment = self._body("Deployment", self._name, spec, status | {"updatedReplicas": count})
        revision = {"deployment.kubernetes.io/revision": "1"}
        deployment["metadata"]["annotations"] = revision
        uid = await writer.create(deployment)
        spec = spec | {"selector": {"matchLabels": self._labels}}
        replica_set = self._body("ReplicaSet", f"{self._name}-{self._hash}", spec, status)
        replica_set["metadata"] |= {
            "annotations": revision,
            "ownerReferences": [_owner("Deployment", self._name, uid)],
        }
        self._replica_set_uid = await writer.create(replica_set)

    def pod(self, number: int, node: str) -> Object:
        owner = _owner("ReplicaSet", f"{self._name}-{self._hash}", self._replica_set_uid)
        template = self._template()
        metadata = template["metadata"] | {
            "name": f"{self._name}-{self._hash}-{number:06d}",
            "namespace": self.namespace,
            "ownerReferences": [owner],
        }
        spec = template["spec"] | {"nodeName": node}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": self._running(number)}

    def _template(self) -> Object:
        container = {
            "name": "main",
            "image": f"registry.example/{self.namespace}/{self._name}:1.0.0",
            "ports": [{"containerPort": 8080}],
            "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "TEAM", "value": self.namespace}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        }
        return {"metadata": {"labels": self._labels}, "spec": {"containers": [container]}}

    def _running(self, number: int) -> Object:
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        container = {
            "name": "main",
            "image": f"registry.example/{self.namespace}/{self._name}:1.0.0",
            "imageID": f"registry.example/{self.namespace}/{self._name}@sha256:{self._hash}",
            "containerID": f"containerd://{self._hash}{number:06d}",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": self._now}},
        }
        kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        return {
            "phase": "Running",
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": self._now} for kind in kinds],
            "containerStatuses": [container],
            "hostIP": "127.0.0.1",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": self._now,
            "qosClass": "Burstable",
        }

    def _body(self, kind: str, name: str, spec: Object, status: Object) -> Object:
        metadata = {"name": name, "namespace": self.namespace, "labels": self._labels}
        return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec, "status": status}


def _owner(kind: str, name: str, uid: str) -> Object:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid}
    return reference | {"controller": True, "blockOwnerDeletion": True}


def _ready(node: Object, now: str) -> Object:
    """The node with the conditions of a kubelet that is well."""
    well = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": "True"}
    reasons = {kind: f"KubeletHasNo{kind}" for kind in well} | {
        "Ready": "KubeletReady",
        "MemoryPressure": "KubeletHasSufficientMemory",
        "PIDPressure": "KubeletHasSufficientPID",
    }
    times = {"lastTransitionTime": now, "lastHeartbeatTime": now}
    conditions = [{"type": kind, "status": status, "reason": reasons[kind], **times} for kind, status in well.items()]
    return node | {"status": node["status"] | {"conditions": conditions, "phase": "Running"}}
