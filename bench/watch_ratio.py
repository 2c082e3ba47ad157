"""The watch path (transport, decoding, rows, store) beside the client library's own `Watch`, in one process and run."""

import asyncio
import gc
import statistics
import time

from bench.api import plain_api
from bench.figure import Benchmark, Figure
from bench.streaming import Stream, stream_server
from common.clock import SystemClock
from common.cluster.changes import RowChange
from common.cluster.kinds import KINDS
from common.cluster.reflector import Reflector
from common.cluster.store import Store

POD_KIND = next(kind for kind in KINDS if kind.name == "Pod")
CLIENT_EVENTS = 2_000


async def _ours(url: str, events: int) -> float:
    """Events per second of own CPU."""
    done = asyncio.Event()
    seen = 0

    def sink(changes: list[RowChange]) -> None:
        nonlocal seen
        seen += len(changes)
        if seen >= events:
            done.set()

    clock = SystemClock()
    async with plain_api(url) as api:
        reflector = Reflector(api, POD_KIND, Store(now=clock.now), clock, sink=sink)
        started = time.process_time()
        task = asyncio.create_task(reflector.run())
        await done.wait()
        rate = seen / (time.process_time() - started)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return rate


async def _client(url: str, events: int) -> float:
    from kubernetes_asyncio import client, watch

    seen, kept = 0, {}
    async with client.ApiClient(client.Configuration(host=url)) as api:
        core = client.CoreV1Api(api)
        started = time.process_time()
        stream = watch.Watch()
        async for event in stream.stream(core.list_pod_for_all_namespaces):
            pod = event["object"]
            kept[pod.metadata.namespace, pod.metadata.name] = pod  # our store keeps every pod, too
            seen += 1
            if seen == events:
                break
        rate = seen / (time.process_time() - started)
        await stream.close()
    return rate


async def run(quick: bool) -> list[Figure]:
    rounds, events = (1, 4_000) if quick else (7, 60_000)
    ours, theirs = [], []
    for _ in range(rounds):
        with stream_server(Stream(events)) as url:
            ours.append(await _ours(url, events - 100))
            theirs.append(await _client(url, CLIENT_EVENTS))
        gc.collect()
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    conditions = (
        f"{events:,} pod events of 9.4 KB on a local HTTP server in its own process; per second of own CPU; both keep "
        f"the newest state of every pod; kubernetes_asyncio's Watch, typed: {statistics.median(theirs):,.0f} events/s "
        f"in the same runs"
    )
    return [
        Figure(
            id="monitor.watch_ratio",
            what="watch path against the client library's Watch",
            unit="times",
            target=60,
            better="higher",
            runs=ratios,
            conditions=conditions,
        ),
        Figure(
            id="monitor.watch_ratio.rate",
            what="watch path: transport, decode, row, store",
            unit="events/s",
            target=15_000,
            better="higher",
            runs=ours,
            conditions=conditions,
        ),
    ]


BENCHMARK = Benchmark(id="monitor.watch_ratio", title="watch path against the client library's Watch", run=run)
