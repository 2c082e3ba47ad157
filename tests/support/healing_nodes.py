"""Nodes of a test's own in a real cluster, so that tests which drain or break nodes do not meet."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.healing_cluster import Json, Place, a_place, a_workload, ref_of
from tests.support.waiting import eventually

from auto_healing.kube.cluster import EvictionBlocked
from common.clock import SystemClock
from common.contracts import ObjectRef
from devcluster import DevCluster, Settings
from devcluster.api import STRATEGIC_PATCH, collection
from devcluster.nodes import NODES, node
from devcluster.settings import POOLS
from devcluster.testing import NODE_GRACE_SECONDS, fresh_namespace, private_cluster

_MINE = "healing-tests/mine"


@pytest.fixture(scope="session")
def nodes_cluster() -> Iterator[DevCluster]:
    """One for all tests of this process that need nodes of their own."""
    with private_cluster(Settings(nodes=1, node_grace_seconds=NODE_GRACE_SECONDS)) as cluster:
        yield cluster


@dataclass
class Ground:
    """A namespace, and nodes that its pods alone can run on."""

    place: Place
    nodes: list[str] = field(default_factory=list)

    async def grow(self) -> str:
        """One more ready node; its name."""
        name = f"{self.place.namespace}-{len(self.nodes)}"
        body = node(name, zone="zone-a", pool=POOLS[0])
        body["metadata"]["labels"][_MINE] = self.place.namespace
        body["spec"] = {"taints": [{"key": _MINE, "value": self.place.namespace, "effect": "NoSchedule"}]}
        self.place.cluster.api.create(body)
        self.nodes.append(name)

        async def ready() -> bool:
            found = self.node(name)
            bad = {taint["key"] for taint in found["spec"]["taints"]} - {_MINE}
            return _status(found, "Ready") == "True" and not bad

        await eventually(ready)
        return name

    def node(self, name: str) -> Json:
        return self.place.cluster.api.get(f"{NODES}/{name}")

    def ref(self, name: str) -> ObjectRef:
        return ref_of(self.node(name) | {"kind": "Node"})

    def cordoned(self, name: str) -> bool:
        return bool(self.node(name)["spec"].get("unschedulable"))

    def annotations(self, name: str) -> Mapping[str, str]:
        return self.node(name)["metadata"].get("annotations") or {}

    def taints(self, name: str) -> dict[str, str]:
        """Effects by key, without the one that keeps other pods away."""
        return {each["key"]: each["effect"] for each in self.node(name)["spec"]["taints"] if each["key"] != _MINE}

    def kubectl(self, name: str, *, cordon: bool) -> None:
        """As a person does it."""
        path = f"{NODES}/{name}?fieldManager=kubectl-cordon"
        self.place.cluster.api.patch(path, {"spec": {"unschedulable": cordon or None}})

    def condition(self, name: str, type_: str, status: str) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = {"type": type_, "status": status, "reason": "TestSaysSo", "message": "a test says so"}
        told |= {"lastTransitionTime": now, "lastHeartbeatTime": now}
        path = f"{NODES}/{name}/status"
        self.place.cluster.api.patch(path, {"status": {"conditions": [told]}}, STRATEGIC_PATCH)

    def darken(self, name: str) -> None:
        """Its kubelet falls silent, and the control plane has noticed."""
        labels = {"metadata": {"labels": {"kwok.x-k8s.io/kubelet": "dark"}}}
        self.place.cluster.api.patch(f"{NODES}/{name}", labels)
        self.condition(name, "Ready", "Unknown")

    def revive(self, name: str) -> None:
        labels = {"metadata": {"labels": {"kwok.x-k8s.io/kubelet": "alive"}}}
        self.place.cluster.api.patch(f"{NODES}/{name}", labels)
        self.condition(name, "Ready", "True")

    async def run(
        self, kind: str = "Deployment", name: str = "web", *, replicas: int = 1, labels: Mapping[str, str] | None = None
    ) -> None:
        """A workload on the nodes of this ground, complete when it returns. `labels` are further ones of its pods."""
        tolerations = [{"key": _MINE, "operator": "Exists"}]
        # A grace that a test can wait for, and yet one.
        pod = {"terminationGracePeriodSeconds": 1, "nodeSelector": {_MINE: self.place.namespace}}
        pod |= {"tolerations": tolerations}
        body = a_workload(self.place.namespace, kind, name, replicas=replicas, pod=pod)
        body["spec"]["template"]["metadata"]["labels"] |= labels or {}
        self.place.cluster.api.create(body)
        await self.place.ready(kind, name, replicas)

    def placed(self, name: str) -> dict[str, str]:
        """Nodes by pod of the workload, but for what is being deleted."""
        pods = [pod for pod in self.place.pods() if pod["metadata"]["labels"].get("app.kubernetes.io/name") == name]
        return {pod["metadata"]["name"]: pod["spec"].get("nodeName", "") for pod in pods}

    async def settled_on(self, node_: str, name: str, replicas: int) -> None:
        """Until all pods of the workload run there."""

        async def there() -> bool:
            return list(self.placed(name).values()) == [node_] * replicas

        await eventually(there)

    async def budgeted(self, healthy: int) -> None:
        """Until all budgets of the namespace have counted so many healthy pods."""

        async def counted() -> bool:
            budgets = self.place.objects("policy/v1/poddisruptionbudgets")
            return all(each.get("status", {}).get("currentHealthy") == healthy for each in budgets)

        await eventually(counted)


def _status(found: Json, type_: str) -> str:
    conditions = found.get("status", {}).get("conditions") or ()
    return next((each["status"] for each in conditions if each["type"] == type_), "")


@asynccontextmanager
async def a_ground(cluster: DevCluster) -> AsyncIterator[Ground]:
    """With one node; more by `grow`."""
    with fresh_namespace(cluster) as namespace:
        async with a_place(cluster, namespace) as place:
            ground = Ground(place)
            try:
                await ground.grow()
                yield ground
            finally:
                for name in ground.nodes:
                    cluster.api.delete(f"{collection('v1/nodes')}/{name}")


@pytest.fixture
async def ground(nodes_cluster: DevCluster) -> AsyncIterator[Ground]:
    async with a_ground(nodes_cluster) as ground:
        yield ground


class Crashed(BaseException):
    """The process dies here."""


class Watching:
    """The live cluster, with its evictions noted. It may die at one of them, before or after it took place."""

    def __init__(
        self,
        place: Place,
        *,
        die_at: int = 0,
        after: bool = False,
        when_blocked: Callable[[], None] = lambda: None,
    ) -> None:
        self._live = place.live
        self._when_blocked = when_blocked
        self._die_at = die_at
        self._after = after
        self.evicted: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    async def evict(self, pod: ObjectRef, *, grace_seconds: int | None = None) -> bool:
        number = len(self.evicted) + 1
        if number == self._die_at and not self._after:
            raise Crashed
        try:
            evicted = await self._live.evict(pod, grace_seconds=grace_seconds)
        except EvictionBlocked:
            self._when_blocked()
            raise
        self.evicted.append(pod.name)
        if number == self._die_at:
            raise Crashed
        return evicted


class LateClock(SystemClock):
    """The real time, until it jumps past every deadline."""

    def __init__(self) -> None:
        self._late = timedelta()

    def now(self) -> datetime:
        return super().now() + self._late

    def be_late(self) -> None:
        self._late = timedelta(hours=1)
