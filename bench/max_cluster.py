"""The largest cluster that Kubernetes supports, on a real API server: memory, the first look, and the event loop.

https://kubernetes.io/docs/setup/best-practices/cluster-large/
"""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from demo.service import HEALTH_MONITOR, Program, Service, running

from bench.clusters import environment, filled_cluster
from bench.figure import Benchmark, Figure, percentile
from bench.probed import lags
from bench.processes import cpu_seconds, peak_mib, resident_mib
from devcluster import DevCluster

MEMORY, SYNC, LAG = "monitor.max_cluster_memory", "monitor.max_cluster_sync", "monitor.loop_lag"
FAMILY = tuple(
    f"{id}{part}"
    for id, parts in (
        (MEMORY, ("", ".steady", ".peak")),
        (SYNC, ("", ".cpu", ".wall")),
        (LAG, ("", ".sync_p99", ".scrape_p99")),
    )
    for part in parts
)
SYNC_SECONDS = 600.0
CPU_NOTE = (
    "Where it goes, measured apart on the same objects: decoding, rows and store 5.7 s, the first look at everything "
    "2.8 s, start with imports and database 1.5 s; the rest is transport over TLS, the other kinds (15,000 workloads "
    "with their ReplicaSets) and the answers to the benchmark's own questions"
)
POLL_SECONDS = 0.2  # each question costs the service some 2 ms of the CPU that is measured


@dataclass(frozen=True, slots=True)
class Round:
    """One start of the service."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    steady_mib: float


@dataclass(frozen=True, slots=True)
class Size:
    nodes: int
    pods: int
    rounds: int
    steady_seconds: float  # after the sync, with scrapes
    scrapes: int


FULL = Size(nodes=5_000, pods=150_000, rounds=2, steady_seconds=20, scrapes=10)
QUICK = Size(nodes=50, pods=500, rounds=1, steady_seconds=2, scrapes=3)


async def _synced(service: Service, size: Size) -> None:
    """Everything is scored from the first answer that has a score; it must be everything."""
    body = await service.until("/api/v1/cluster", lambda body: "score" in body, SYNC_SECONDS, every=POLL_SECONDS)
    seen = body["objects"]
    if (seen["nodes"], seen["pods"]) != (size.nodes, size.pods):
        raise RuntimeError(f"the service scored {seen['nodes']} nodes and {seen['pods']} pods, not {size}")


async def _round(cluster: DevCluster, size: Size) -> Round:
    started = time.monotonic()
    async with running(environment(cluster)) as service:
        await _synced(service, size)
        wall, cpu, peak = time.monotonic() - started, cpu_seconds(service.pid), peak_mib(service.pid)
        for _ in range(size.scrapes):
            await service.text("/metrics")
            await asyncio.sleep(size.steady_seconds / size.scrapes)
        return Round(wall, cpu, peak, resident_mib(service.pid))


def _probed(file: Path) -> Program:
    return Program(HEALTH_MONITOR.name, ("-m", "bench.probed", str(file)), HEALTH_MONITOR.prefix)


async def _probed_round(cluster: DevCluster, size: Size) -> tuple[list[float], list[float]]:
    """The lags of the event loop in milliseconds: during the sync, and during scrapes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "lags"
        scrapes: list[tuple[float, float]] = []
        started = time.monotonic()
        async with running(environment(cluster), _probed(file)) as service:
            await _synced(service, size)
            synced = time.monotonic()
            await asyncio.sleep(size.steady_seconds / 4)
            for _ in range(size.scrapes):
                begun = time.monotonic()
                await service.text("/metrics")
                scrapes.append((begun, time.monotonic()))
                await asyncio.sleep(0.5)
        during_sync = lags(file, started, synced)
        during_scrapes = [late for begun, ended in scrapes for late in lags(file, begun, ended)]
    return [late * 1e3 for late in during_sync], [late * 1e3 for late in during_scrapes]


async def run(quick: bool) -> list[Figure]:
    size = QUICK if quick else FULL
    async with filled_cluster(nodes=size.nodes, pods=size.pods) as cluster:
        rounds = [await _round(cluster, size) for _ in range(size.rounds)]
        probed = [await _probed_round(cluster, size) for _ in range(size.rounds)]
    place = f"{size.nodes:,} nodes, {size.pods:,} pods, etcd, kube-apiserver and PostgreSQL on the same machine"
    return [*_memory(rounds, place), *_sync(rounds, place), *_lag(probed, place)]


def _memory(rounds: list[Round], place: str) -> list[Figure]:
    conditions = f"{place}; the process of `health-monitor serve`; PostgreSQL is a server of its own"
    return [
        Figure(
            id=f"{MEMORY}.steady",
            what="resident memory of the service after the sync and scrapes",
            unit="MiB",
            target=384,
            better="lower",
            runs=[each.steady_mib for each in rounds],
            conditions=conditions,
        ),
        Figure(
            id=f"{MEMORY}.peak",
            what="resident memory of the service at its highest while syncing",
            unit="MiB",
            target=512,
            better="lower",
            runs=[each.peak_mib for each in rounds],
            conditions=conditions,
        ),
    ]


def _sync(rounds: list[Round], place: str) -> list[Figure]:
    conditions = f"{place}; from the start of the process, imports and database included, to every object scored"
    return [
        Figure(
            id=f"{SYNC}.cpu",
            what="start to every object scored, own CPU",
            unit="s",
            target=12,
            better="lower",
            runs=[each.cpu_seconds for each in rounds],
            conditions=conditions,
            note=CPU_NOTE,
        ),
        Figure(
            id=f"{SYNC}.wall",
            what="start to every object scored",
            unit="s",
            target=25,
            better="lower",
            runs=[each.wall_seconds for each in rounds],
            conditions=conditions,
        ),
    ]


def _lag(probed: list[tuple[list[float], list[float]]], place: str) -> list[Figure]:
    sync, scrape = ([each[n] for each in probed] for n in (0, 1))
    conditions = f"{place}; a look was due every 5 ms, and every one counts that came late in one stall"
    return [
        Figure(
            id=f"{LAG}.{name}_p99",
            what=f"event loop lag during {what}, p99",
            unit="ms",
            target=target,
            better="lower",
            runs=[percentile(run, 99) for run in runs],
            conditions=f"{conditions}; worst {max(late for run in runs for late in run):.0f} ms",
        )
        for name, what, target, runs in (
            ("sync", "the first look at everything", 100, sync),
            ("scrape", "scrapes of /metrics", 30, scrape),
        )
    ]


BENCHMARK = Benchmark(
    id="monitor.max_cluster", title="Kubernetes' largest cluster: memory, sync, event loop", run=run, family=FAMILY
)
