"""Two replicas on one PostgreSQL, elected by a Lease: the leader is killed while the cluster changes.

Slow is a figure; an event that is lost, doubled or out of order breaks the benchmark.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from demo.service import Service

from bench.changes import changing
from bench.clusters import filled_cluster
from bench.figure import Benchmark, Figure
from bench.postgres import temporary_postgres
from bench.told import Broken, agreed
from bench.watched import standing_by, watched
from devcluster import DevCluster

TAKEOVER_SECONDS = 120.0
BEFORE_SECONDS = 4.0
AFTER_SECONDS = 4.0
POLL_SECONDS = 0.02
HOLDER = "SELECT epoch, cursor FROM health.stream"


async def _takeover(connection: psycopg.AsyncConnection[Any], leader: Service) -> float:
    """Kills the leader; the seconds until the first event of another one is committed."""
    epoch, cursor = await _stream(connection)
    killed = time.monotonic()
    await leader.kill()
    while time.monotonic() - killed < TAKEOVER_SECONDS:
        now_epoch, now_cursor = await _stream(connection)
        if now_epoch == epoch:
            cursor = now_cursor
        elif now_cursor > cursor:
            return time.monotonic() - killed
        await asyncio.sleep(POLL_SECONDS)
    raise Broken(f"nobody stored an event within {TAKEOVER_SECONDS:.0f} s of the leader's death")


async def _stream(connection: psycopg.AsyncConnection[Any]) -> tuple[int, int]:
    row = await (await connection.execute(HOLDER)).fetchone()
    assert row is not None
    return row[0], row[1]


async def _failover(cluster: DevCluster, url: str) -> tuple[float, int]:
    """Seconds until the standby stored its first event, and how many events there were in all. Raises Broken."""
    settings = {"HEALTH_MONITOR_DATABASE__URL": url, "HEALTH_MONITOR_LEADER__ELECTION": "lease"}
    async with watched(cluster, settings) as leader, standing_by(cluster, settings) as standby:
        async with changing(cluster.kubeconfig) as changer, _connected(url) as connection:
            await asyncio.sleep(BEFORE_SECONDS)
            seconds = await _takeover(connection, leader)
            await asyncio.sleep(AFTER_SECONDS)
            work = await changer.stop()
        events = await agreed(standby, work.faults)
        return seconds, len(events)


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        yield connection


async def run(quick: bool) -> list[Figure]:
    nodes, pods, rounds = (100, 1_000, 1) if quick else (100, 1_000, 3)
    takeovers, events = [], 0
    for _ in range(rounds):
        async with filled_cluster(nodes=nodes, pods=pods) as cluster, temporary_postgres() as url:
            seconds, told = await _failover(cluster, url)
            takeovers.append(seconds)
            events += told
    return [
        Figure(
            id="monitor.failover",
            what="leader killed to the first event that the standby stored",
            unit="s",
            target=15,
            better="lower",
            runs=takeovers,
            conditions=f"{nodes:,} nodes, {pods:,} pods, 50 status patches a second with 4 faults among them; Lease of "
            f"10 s; SIGKILL; {events:,} events in all: cursors without gap, none twice, every fault told once, and "
            f"what they tell as open is what is found",
        )
    ]


BENCHMARK = Benchmark(id="monitor.failover", title="the standby takes over from a killed leader", run=run)
