"""What-ifs as the API answers them, on Kubernetes' largest cluster: draining a node of 110 pods, and losing a zone.

https://kubernetes.io/docs/setup/best-practices/cluster-large/
"""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx
from msgspec.structs import replace

from auto_healing.api import plans
from auto_healing.facts import Sight
from auto_healing.past import Past
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.world import World
from bench.clusters import filled_cluster
from bench.figure import Benchmark, Figure, percentile
from common.clock import SystemClock
from common.cluster.rows import NodeRow, PodRow
from common.cluster.scan import scan_cluster
from common.cluster.store import Store
from common.kube.connect import connect
from common.kube.settings import KubeSettings
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.auth import Scope
from common.web.settings import WebSettings
from common.web.static_tokens import StaticTokens, new_token
from devcluster import DevCluster

DRAIN, ZONE = "healing.whatif_drain", "healing.whatif_zone"
ON_ONE_NODE = 110  # pods, the kubelet's limit
LOOK_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Size:
    nodes: int
    pods: int
    rounds: int


FULL = Size(nodes=5_000, pods=150_000, rounds=5)
QUICK = Size(nodes=50, pods=500, rounds=2)


@dataclass(frozen=True, slots=True)
class Asked:
    seconds: float
    lags: list[float]  # of the event loop meanwhile, milliseconds
    answer: dict[str, Any]


async def _read(cluster: DevCluster) -> Store:
    clock = SystemClock()
    async with await connect(KubeSettings(kubeconfig=cluster.kubeconfig), clock) as api:
        store = await scan_cluster(api, clock=clock)
    for node in list(store.rows(NodeRow).values()):  # the API server taints a new node, and no controller runs here
        store.apply(replace(node, taints=(), resource_version=f"{node.resource_version}-ready"))
    gc.collect()
    gc.freeze()  # as the service does after its first look
    return store


def _filled_up(store: Store) -> str:
    """The name of a node that has so many pods: some are moved there, from the back."""
    name = next(iter(store.rows(NodeRow))).name
    others = [pod for pod in reversed(list(store.rows(PodRow).values())) if pod.node != name]
    for pod in others[: ON_ONE_NODE - len(store.pods_on(name))]:
        store.apply(replace(pod, node=name, resource_version=f"{pod.resource_version}-moved"))
    return name


@contextlib.asynccontextmanager
async def _client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """The real route, over what was read; nothing else of the service runs."""
    now, history = SystemClock().now, Past()

    def world() -> World:
        at = now()
        sight = Sight(synced_at=at, health_monitor_heard_at=at)
        return World(now=at, snapshot=store, policy=DEFAULT_POLICY, history=history, sight=sight)

    token, entry = new_token("bench", Scope.READ)
    app = create_app(
        "auto_healing",
        "bench",
        routers=[plans.router],
        authenticator=StaticTokens.parse(entry),
        probes=(),
        metrics=ServiceMetrics("auto_healing", "bench"),
        settings=WebSettings(),
    )
    app.state.services = SimpleNamespace(now=now, snapshot=store, synced=lambda: True, acting=lambda: True, world=world)
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers, timeout=None) as http:
        yield http


async def _ask(http: httpx.AsyncClient, question: dict[str, Any]) -> Asked:
    lags: list[float] = []
    probe = asyncio.create_task(_probe(lags))
    started = time.perf_counter()
    answer = await http.post("/api/v1/plans", json=question)
    seconds = time.perf_counter() - started
    probe.cancel()
    answer.raise_for_status()
    return Asked(seconds, lags, answer.json())


async def _probe(lags: list[float]) -> None:
    while True:
        started = time.perf_counter()
        await asyncio.sleep(LOOK_SECONDS)
        lags.append((time.perf_counter() - started - LOOK_SECONDS) * 1e3)


async def run(quick: bool) -> list[Figure]:
    size = QUICK if quick else FULL
    async with filled_cluster(nodes=size.nodes, pods=size.pods) as cluster:
        store = await _read(cluster)
    node = _filled_up(store)
    zone = sorted(store.zones())[0]
    async with _client(store) as http:
        drains = [await _ask(http, {"scenario": "drain", "nodes": [node]}) for _ in range(size.rounds)]
        zones = [await _ask(http, {"scenario": "lost-zone", "zone": zone}) for _ in range(size.rounds)]
    return [
        _figure(DRAIN, f"what-if: drain of a node of {ON_ONE_NODE} pods", 1, _placed(drains), size),
        _figure(ZONE, "what-if: loss of a zone", 10, _placed(zones), size),
    ]


def _placed(asked: list[Asked]) -> list[Asked]:
    """Raises RuntimeError when they place nothing, which would be quick."""
    if not all(each.answer["totals"]["placed"] for each in asked):
        raise RuntimeError(f"no pod found a place: {asked[0].answer['totals']['reasons']}")
    return asked


def _figure(id: str, what: str, target: float, asked: list[Asked], size: Size) -> Figure:
    totals = asked[0].answer["totals"]
    lags = [lag for each in asked for lag in each.lags]
    return Figure(
        id=id,
        what=what,
        unit="s",
        target=target,
        better="lower",
        runs=[each.seconds for each in asked],
        conditions=(
            f"{size.nodes:,} nodes, {size.pods:,} pods, read from a real API server; POST /api/v1/plans in process, "
            f"from the question to the last byte of JSON: {totals['pods']:,} pods of {totals['nodes']:,} nodes, "
            f"of which {totals['placed']:,} find a place and {totals['fit_nowhere']:,} fit nowhere; the event loop was "
            f"late by {percentile(lags, 99):.0f} ms at p99, {max(lags):.0f} ms at worst"
        ),
    )


BENCHMARK = Benchmark(id=DRAIN, title="what-ifs on Kubernetes' largest cluster", run=run, family=(ZONE,))
