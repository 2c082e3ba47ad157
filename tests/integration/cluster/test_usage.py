"""Usage figures: taken where metrics.k8s.io is served, unknown where it is not, and old where it fails."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.apiserver import Json, StandIn, status_body
from tests.support.following import connected

from common.clock import SystemClock
from common.cluster.changes import RowChange
from common.cluster.snapshot import SourceState
from common.cluster.store import Store
from common.cluster.usage import UsagePoller
from common.contracts.objects import ObjectKey
from common.kube.api import Api

NODES = "/apis/metrics.k8s.io/v1beta1/nodes"
PODS = "/apis/metrics.k8s.io/v1beta1/pods"
AT = "2026-03-01T11:00:00Z"
NODE = ObjectKey("Node", "", "n")
POD = ObjectKey("Pod", "shop", "web")


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    async with StandIn().serving() as stand_in:
        yield stand_in


@pytest.fixture
async def api(server: StandIn, tmp_path: Path) -> AsyncIterator[Api]:
    async with connected(server, tmp_path, attempts=1) as api:
        yield api


def node_figures(cpu: str = "1500m", memory: str = "2Gi", name: str = "n") -> Json:
    return {"metadata": {"name": name}, "timestamp": AT, "window": "20s", "usage": {"cpu": cpu, "memory": memory}}


def pod_figures(**cpu: str) -> Json:
    parts = [{"name": name, "usage": {"cpu": amount, "memory": "100Mi"}} for name, amount in cpu.items()]
    return {"metadata": {"name": "web", "namespace": "shop"}, "timestamp": AT, "containers": parts}


async def poll(api: Api, kind: str, store: Store) -> list[RowChange]:
    changes: list[RowChange] = []
    await UsagePoller(api, kind, store, SystemClock(), changes.extend).poll()
    return changes


async def test_figures_of_nodes_and_pods(server: StandIn, api: Api) -> None:
    server.put(NODES, node_figures())
    server.put(PODS, pod_figures(app="250m", proxy="1500000n"))
    store = Store()
    assert [(change.kind, change.key) for change in await poll(api, "Node", store)] == [("NodeUsage", NODE)]
    assert [(change.kind, change.key) for change in await poll(api, "Pod", store)] == [("PodUsage", POD)]
    node, pod = store.usage_of(NODE), store.usage_of(POD)
    assert node is not None
    assert (node.cpu_millicores, node.memory_bytes, node.measured_at.isoformat()) == (
        1500,
        2 << 30,
        "2026-03-01T11:00:00+00:00",
    )
    assert pod is not None
    assert (pod.cpu_millicores, pod.memory_bytes) == (252, 200 << 20)
    assert pod.containers == {"app": (250, 100 << 20), "proxy": (2, 100 << 20)}
    assert store.sources["NodeUsage"].state is store.sources["PodUsage"].state is SourceState.SYNCED


async def test_only_what_moved_is_told(server: StandIn, api: Api) -> None:
    store = Store()
    server.put(NODES, node_figures())
    await poll(api, "Node", store)
    server.put(NODES, node_figures(cpu="1510m"))
    assert await poll(api, "Node", store) == []
    server.put(NODES, node_figures(cpu="2500m"))
    assert len(await poll(api, "Node", store)) == 1
    server.remove(NODES, "n")
    assert [change.key for change in await poll(api, "Node", store)] == [NODE]
    assert store.usage_of(NODE) is None


async def test_a_cluster_without_metrics_leaves_usage_unknown_and_says_what_to_do(api: Api) -> None:
    store = Store()
    assert await poll(api, "Node", store) == []
    source = store.sources["NodeUsage"]
    assert source.state is SourceState.UNSEEN
    assert "install metrics-server" in source.reason


async def test_metrics_that_fail_later_grow_old(server: StandIn, api: Api) -> None:
    store = Store()
    server.put(NODES, node_figures())
    await poll(api, "Node", store)
    server.answer(NODES, 503, status_body(503, "the server is currently unable to handle the request"))
    await poll(api, "Node", store)
    assert store.sources["NodeUsage"].state is SourceState.STALE
    assert "unable to handle" in store.sources["NodeUsage"].reason
    assert store.usage_of(NODE) is not None


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"timestamp": "yesterday"}, id="a time that is none"),
        pytest.param({"usage": {"cpu": "plenty"}}, id="a quantity that is none"),
        pytest.param({"usage": 7}, id="another shape"),
    ],
)
async def test_figures_that_cannot_be_read_cost_themselves_alone(server: StandIn, api: Api, broken: Json) -> None:
    server.put(NODES, node_figures())
    server.put(NODES, node_figures(name="odd") | broken)
    store = Store()
    assert [change.key for change in await poll(api, "Node", store)] == [NODE]
