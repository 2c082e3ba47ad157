"""How soon healing acts: both services as processes on a real API server, and somebody who breaks one thing at a time.

The first write is seen by a watch of the API server, as whoever looks at the cluster would see it.
"""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import psycopg
from demo.healing import healing
from demo.service import Service

from bench.clusters import environment, filled_cluster
from bench.figure import Benchmark, Figure, percentile, split
from bench.harm import Harm, breaking, harms, mended, prepared
from bench.postgres import temporary_postgres
from bench.watched import eventually, watched
from devcluster import DevCluster
from devcluster.api import tls

EVENT, FAULT = "healing.event_to_write", "healing.fault_to_write"
WRITE_SECONDS = 60.0
PAUSE_SECONDS = (0.2, 0.8)  # between two faults; at random, so that they fall into any moment of a poll
# Everything at once and by itself. What would make the policy wait is taken away; the guards are asked all the same.
POLICY = """
version: 1
mode: auto
scope: {opt_in: false}
rules:
  - {name: crash-loop, match: {codes: [pod-crash-loop], levels: [pod]}, ladder: [evict-pod, call-a-human]}
  - {name: node-silent, match: {codes: [node-unknown], levels: [node]}, ladder: [reschedule-from-node, call-a-human]}
guards:
  grace: {default: 0s, restarts: 1, codes: {node-unknown: 0s, pod-crash-loop: 0s}}
  cooldown: {target: 0s, owner: 0s}
  attempts: {most: 1000}
  loop: {repeats: 1000}
  rate_limit: {pods_per_minute: 10000, pods_per_hour: 10000, between_drains: 0s}
  disruption_budget: {nodes_per_zone: 1000, pool_ratio: 1, cluster_ratio: 1, workload_ratio: 1}
  unhealthy_ratio: {zone_ratio: 1, pool_ratio: 1}
  storm: {cooldown: 0s, nodes: 10000}
"""
RECEIVED = """
    SELECT min(received_at) FROM healing.inbox
    WHERE event->'data'->>'change' = 'opened' AND event->'data'->'finding'->>'code' = %s AND event->>'subject' = %s
"""
LAST_WORDS = "SELECT event, kind, name, action, guard, message FROM healing.ledger ORDER BY seq DESC LIMIT 5"


@dataclass(frozen=True, slots=True)
class Reaction:
    """Instants in seconds since 1970, all by this machine's clock."""

    sent_at: float  # of the patch that broke it
    broken_at: float  # when the API server had answered it
    received_at: float  # when healing took the event
    written_at: float  # when the first pod that had to go was seen to go


@dataclass(frozen=True, slots=True)
class Size:
    nodes: int
    pods: int
    crash_loops: int
    dark_nodes: int
    rounds: int


FULL = Size(nodes=200, pods=2_000, crash_loops=120, dark_nodes=60, rounds=3)
QUICK = Size(nodes=20, pods=200, crash_loops=5, dark_nodes=2, rounds=1)


@contextlib.asynccontextmanager
async def _acting(cluster: DevCluster, url: str) -> AsyncIterator[Service]:
    """Both services, once healing leads."""
    settings = {**environment(cluster), "AUTO_HEALING_DATABASE__URL": url}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(POLICY)
        async with (
            watched(cluster, {"HEALTH_MONITOR_DATABASE__URL": url}) as monitor,
            healing(monitor, settings, policy) as healer,
        ):
            yield healer


@contextlib.asynccontextmanager
async def _going(http: aiohttp.ClientSession) -> AsyncIterator[dict[str, float]]:
    """When each pod was first seen to have been told to go, by uid; and under its node's name, the first one there."""
    gone: dict[str, float] = {}
    async with http.get("/api/v1/pods", params={"limit": "1"}) as answer:
        version = (await answer.json())["metadata"]["resourceVersion"]
    watching = asyncio.create_task(_watch(http, version, gone))
    try:
        yield gone
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(http: aiohttp.ClientSession, version: str, gone: dict[str, float]) -> None:
    params = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "3600"}
    async with http.get("/api/v1/pods", params=params, timeout=aiohttp.ClientTimeout(total=None)) as answer:
        answer.raise_for_status()
        async for line in answer.content:
            at, pod = time.time(), json.loads(line)["object"]
            if "deletionTimestamp" in pod["metadata"]:
                gone.setdefault(pod["metadata"]["uid"], at)
                gone.setdefault(pod["spec"]["nodeName"], at)


async def _reaction(
    http: aiohttp.ClientSession, gone: dict[str, float], connection: psycopg.AsyncConnection[Any], harm: Harm
) -> Reaction:
    """Breaks it, waits for the first write, and cleans up as a kubelet and the controllers would."""
    gone.pop(harm.mark, None)
    sent_at = time.time()
    broken_at = await breaking(http, harm)
    try:
        await eventually(lambda: harm.mark in gone, WRITE_SECONDS)
    except TimeoutError:
        said = await (await connection.execute(LAST_WORDS)).fetchall()
        raise RuntimeError(f"nothing was done about {harm.subject} in time; the ledger ends with {said}") from None
    row = await (await connection.execute(RECEIVED, (harm.code, harm.subject))).fetchone()
    if row is None or row[0] is None:
        raise RuntimeError(f"no event about {harm.subject} is in the inbox")
    await mended(http, harm)
    return Reaction(sent_at, broken_at, row[0].timestamp(), gone[harm.mark])


async def _reactions(cluster: DevCluster, size: Size) -> list[Reaction]:
    random = Random(size.pods)
    server, context = tls(cluster.kubeconfig)
    async with (
        aiohttp.ClientSession(server, connector=aiohttp.TCPConnector(ssl=context), read_bufsize=2**22) as http,
        temporary_postgres() as url,
    ):
        await prepared(http)
        wanted = await harms(http, crash_loops=size.crash_loops, dark_nodes=size.dark_nodes)
        random.shuffle(wanted)
        async with (
            _acting(cluster, url),
            _going(http) as gone,
            await psycopg.AsyncConnection.connect(url, autocommit=True) as connection,
        ):
            found = []
            for harm in wanted:
                found.append(await _reaction(http, gone, connection, harm))
                await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
            return found


async def run(quick: bool) -> list[Figure]:
    size = QUICK if quick else FULL
    async with filled_cluster(nodes=size.nodes, pods=size.pods) as cluster:
        reactions = await _reactions(cluster, size)
    from_event = [(each.written_at - each.received_at) * 1e3 for each in reactions]
    from_fault = [(each.written_at - each.broken_at) * 1e3 for each in reactions]
    since_sent = [(each.written_at - each.sent_at) * 1e3 for each in reactions]
    conditions = (
        f"{size.nodes:,} nodes, {size.pods:,} pods; {size.crash_loops} crash loops and {size.dark_nodes} nodes gone "
        f"dark, one after the other, each of its own cause; every guard is asked, with limits lifted; evidence is "
        f"stored before the write; etcd, API server, PostgreSQL (every commit on the disk) and both services on this "
        f"machine; until a watch of the API server tells that the first pod is to go"
    )
    event = "health event received (by the webhook, or by reading on, whichever is first) to the first write"
    fault = "fault in the API server (crash loop past its limit, node called Unknown) to the first write"
    p50, p99 = percentile(since_sent, 50), percentile(since_sent, 99)
    sent = f"; from the sending of the patch p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    return [
        *_figures(EVENT, event, from_event, (100, 500), rounds=size.rounds, conditions=conditions),
        *_figures(FAULT, fault, from_fault, (250, 1_000), rounds=size.rounds, conditions=conditions + sent),
    ]


def _figures(
    id: str, what: str, delays: list[float], targets: tuple[float, float], *, rounds: int, conditions: str
) -> list[Figure]:
    return [
        Figure(
            id=f"{id}.p{p}",
            what=f"{what}, p{p}",
            unit="ms",
            target=target,
            better="lower",
            runs=[percentile(window, p) for window in split(delays, rounds)],
            value=percentile(delays, p),
            conditions=conditions,
        )
        for p, target in zip((50, 99), targets, strict=True)
    ]


BENCHMARK = Benchmark(
    id=EVENT,
    title="from the health event, and from the fault, to the first write to the cluster",
    run=run,
    family=(f"{EVENT}.p50", f"{EVENT}.p99", FAULT, f"{FAULT}.p50", f"{FAULT}.p99"),
)
