"""The same fault seen by this service and by a real Prometheus beside it, in one run."""

import asyncio
import random
import statistics
import sys
import time

from bench.clusters import environment, filled_cluster
from bench.figure import Benchmark, Figure
from bench.prometheus import Prometheus, is_cached, prometheus
from bench.watched import Arrivals, arriving, eventually, watched
from devcluster import DevCluster
from devcluster.api import STRATEGIC_PATCH

ID = "monitor.detection_ratio"
POLL_SECONDS = 0.05


def _fill_disk(cluster: DevCluster, node: str) -> float:
    """Sets DiskPressure as a kubelet would; when the API server had answered, in seconds since 1970."""
    condition = {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure"}
    cluster.api.patch(f"/api/v1/nodes/{node}/status", {"status": {"conditions": [condition]}}, STRATEGIC_PATCH)
    return time.time()


async def _follow(server: Prometheus, nodes: list[str]) -> dict[str, float]:
    """When an alert about each node was firing first."""
    seen: dict[str, float] = {}
    while len(seen) < len(nodes):
        for node in (await server.firing()).intersection(nodes) - seen.keys():
            seen[node] = time.time()
        await asyncio.sleep(POLL_SECONDS)
    return seen


async def _faults(
    cluster: DevCluster, arrivals: Arrivals, server: Prometheus, *, count: int, interval: int
) -> list[tuple[float, float]]:
    """For each fault the seconds until our event, and until Prometheus' alert. Faults come at no round time."""
    nodes = [node["metadata"]["name"] for node in cluster.api.items("/api/v1/nodes")[:count]]
    following = asyncio.create_task(_follow(server, nodes))
    broken: dict[str, float] = {}
    try:
        for node in nodes:
            broken[node] = await asyncio.to_thread(_fill_disk, cluster, node)
            await asyncio.sleep(random.uniform(0.5, 1.5) * interval)
        async with asyncio.timeout(4 * interval + 60):
            alerts = await following
    finally:
        following.cancel()
    keys = {node: ("node-disk-pressure", "Node", "", node) for node in nodes}
    await eventually(lambda: all(key in arrivals.opened for key in keys.values()), 60)
    return [(arrivals.opened[keys[node]] - at, alerts[node] - at) for node, at in broken.items()]


async def run(quick: bool) -> list[Figure]:
    if quick and not is_cached():
        print(f"bench: {ID}: left out of the small round, since Prometheus is not cached yet", file=sys.stderr)
        return []
    nodes, pods, count, interval = (50, 500, 3, 2) if quick else (1_000, 10_000, 6, 15)
    opened = {"HEALTH_MONITOR_WEB__METRICS_OPEN": "true"}
    async with (
        filled_cluster(nodes=nodes, pods=pods) as cluster,
        watched(cluster, opened) as service,
        arriving(service) as arrivals,
        prometheus(
            service.url.removeprefix("http://"), interval_seconds=interval, environment=environment(cluster)
        ) as server,
    ):
        delays = await _faults(cluster, arrivals, server, count=count, interval=interval)
    ours, theirs = (statistics.median(each[n] for each in delays) for n in (0, 1))
    return [
        Figure(
            id=ID,
            what=f"how much sooner than Prometheus ({interval} s scrape, {interval} s evaluation) we see a fault",
            unit="times",
            target=100,
            better="higher",
            runs=[later / sooner for sooner, later in delays],
            value=theirs / ours,
            conditions=f"{nodes:,} nodes, {pods:,} pods, {count} nodes with disk pressure at random times; ratio of "
            f"the medians from the API server's answer: event in a client's stream {ours * 1e3:.0f} ms, alert firing "
            f"in Prometheus {theirs:.1f} s (a rule without `for` on this service's node scores, which a scrape "
            f"finds up to date: an exporter in between could only be later)",
        )
    ]


BENCHMARK = Benchmark(id=ID, title="the same fault seen by Prometheus in the same run", run=run)
