"""The whole pipeline on one core: bytes off a connection, rows, checks, scores, transitions."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence

from bench.api import plain_api
from bench.figure import Benchmark, Figure
from bench.streaming import Stream, stream_server
from common.clock import SystemClock
from common.cluster.watch import ClusterWatch
from common.contracts import EventData
from common.kube.api import Api
from health_monitor.engine.engine import Engine
from health_monitor.engine.outcome import ScoreChange
from health_monitor.monitor import Batch, Monitor

TIMEOUT_SECONDS = 300.0


class CountedView:
    """The watched cluster; counts what the engine is given, since changes of one pod may have become one."""

    def __init__(self, watch: ClusterWatch) -> None:
        self._watch = watch
        self.synced = watch.synced
        self.changes_seen = 0

    async def changes(self) -> AsyncIterator[Batch]:
        async for batch in self._watch.changes():
            yield batch
            self.changes_seen += len(batch.changes)


class CountingSink:
    def __init__(self) -> None:
        self.told = 0

    def put(self, events: Sequence[EventData], scores: Sequence[ScoreChange]) -> None:
        self.told += len(events) + len(scores)


async def _measure(api: Api, events: int) -> tuple[float, float, int]:
    """Evaluated events per second of own CPU, the share that was evaluated one by one, and how much was told."""
    clock, sink = SystemClock(), CountingSink()
    watch = ClusterWatch(api, clock=clock)
    view, engine = CountedView(watch), Engine(watch.store)
    monitor = Monitor(view, engine, sink, clock)
    tasks = [asyncio.create_task(watch.run()), asyncio.create_task(monitor.run())]
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await monitor.synced.wait()
            arrived = watch.statistics["Pod"].changes
            gc.collect()
            started = time.process_time()
            await api.request("GET", "/go", {})
            while watch.statistics["Pod"].changes - arrived < events or engine.pending:
                await asyncio.sleep(0.01)
        rate = view.changes_seen / (time.process_time() - started)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return rate, view.changes_seen / events, sink.told


async def run(quick: bool) -> list[Figure]:
    rounds, events = (1, 4_000) if quick else (7, 60_000)
    rates, shares, told = [], [], 0
    for _ in range(rounds):
        with stream_server(Stream(events, listed=True)) as url:
            async with plain_api(url) as api:
                rate, share, told = await _measure(api, events)
        rates.append(rate)
        shares.append(share)
    return [
        Figure(
            id="monitor.pipeline_rate",
            what="whole pipeline: bytes, row, checks, score, transition",
            unit="events/s",
            target=8_000,
            better="higher",
            runs=rates,
            conditions=f"{events:,} pod events of 9.4 KB from a server process over HTTP, 2,000 pods on 50 nodes, one "
            f"pod in ten turns ready or not; per second of own CPU; {min(shares):.0%} of the events were evaluated "
            f"singly, only those count; {told:,} events and scores told",
        )
    ]


BENCHMARK = Benchmark(id="monitor.pipeline_rate", title="whole pipeline from bytes to transitions, one core", run=run)
