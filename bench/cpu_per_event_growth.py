"""Whether one change costs the same in a small and in a very large cluster: bytes, row, checks, scores, transitions.

Transport is left out: it costs the same everywhere and would make a growth look smaller.
"""

import gc
import statistics
import time
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

from bench.figure import Benchmark, Figure
from bench.objects import PODS_PER_WORKLOAD, node, pod, watch_line, workload
from bench.streaming import list_ends
from common.clock import SystemClock
from common.cluster.intake import Intake
from common.cluster.kinds import KINDS
from common.cluster.snapshot import Source, SourceState
from common.cluster.store import Store
from health_monitor.engine.engine import Engine

SIZES = (100, 1_000, 5_000)
QUICK_SIZES = (10, 50, 100)
PODS_PER_NODE = 30
TOUCHED = 1_000  # pods that change, spread over the whole cluster
BLOCK = 25  # events that arrive together: some 240 KB


class Pipeline:
    """A filled cluster in memory, and events about it."""

    def __init__(self, nodes: int) -> None:
        self._clock = SystemClock()
        self._nodes, self._pods = nodes, nodes * PODS_PER_NODE
        store = Store(now=self._clock.now)
        self._intakes = {kind.name: Intake(kind, store, self._clock) for kind in KINDS}
        owners = [workload(w) for w in range(self._pods // PODS_PER_WORKLOAD)]
        self._list("Node", (node(i) for i in range(nodes)))
        self._list("Deployment", (deployment for deployment, _ in owners))
        self._list("ReplicaSet", (replica_set for _, replica_set in owners))
        self._list("Pod", (pod(i, nodes=nodes) for i in range(self._pods)))
        for kind in KINDS:
            store.set_source(Source(kind=kind.name, state=SourceState.SYNCED, heard_at=self._clock.now()))
        self._engine = Engine(store)
        self._engine.start()
        self._engine.work(self._clock.now())
        self._blocks = cycle(list(self._prepared()))

    def _list(self, kind: str, items: Iterator[dict[str, Any]] | Any) -> None:
        intake = self._intakes[kind]
        intake.begin_list()
        for item in items:
            intake.block(watch_line("ADDED", item), self._clock.monotonic())
        intake.block(list_ends(kind), self._clock.monotonic())
        intake.drain()

    def _prepared(self) -> Iterator[bytes]:
        """Two rounds over the touched pods, each with another tenth not ready."""
        stride = self._pods // TOUCHED if self._pods > TOUCHED else 1
        for turn in range(2):
            lines = []
            for n, i in enumerate(range(0, min(self._pods, stride * TOUCHED), stride)):
                item = pod(i, nodes=self._nodes, ready=n % 10 != turn)
                item["metadata"]["resourceVersion"] = str(10_000_000 + turn * self._pods + i)
                lines.append(watch_line("MODIFIED", item))
            yield from (b"".join(lines[i : i + BLOCK]) for i in range(0, len(lines), BLOCK))

    def cost(self, events: int) -> float:
        """Microseconds of own CPU for one event."""
        intake, engine, clock = self._intakes["Pod"], self._engine, self._clock
        blocks = list(islice(self._blocks, events // BLOCK))
        started = time.process_time()
        for block in blocks:
            intake.block(block, clock.monotonic())
            engine.apply(intake.drain(), clock.now())
        return (time.process_time() - started) / (len(blocks) * BLOCK) * 1e6


async def run(quick: bool) -> list[Figure]:
    sizes, rounds, events = (QUICK_SIZES, 2, 1_000) if quick else (SIZES, 7, 6_000)
    pipelines = {size: Pipeline(size) for size in sizes}
    gc.collect()
    gc.freeze()
    costs: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size, pipeline in pipelines.items():  # turn by turn, so that a busy machine hits all alike
            costs[size].append(pipeline.cost(events))
    small, *larger = sizes
    growths = [max(costs[size][r] / costs[small][r] for size in larger) * 100 - 100 for r in range(rounds)]
    medians = {size: statistics.median(costs[size]) for size in sizes}
    value = max(medians[size] for size in larger) / medians[small] * 100 - 100
    told = ", ".join(f"{size:,} nodes {cost:.0f} us" for size, cost in medians.items())
    return [
        Figure(
            id="monitor.cpu_per_event_growth",
            what="own CPU per event in the dearest cluster against the smallest",
            unit="%",
            target=20,
            better="lower",
            runs=growths,
            value=value,
            conditions=f"{PODS_PER_NODE} pods a node, one in ten of the changed pods turns ready or not; bytes, row, "
            f"checks, score, transition without transport; sizes by turns in one process; medians: {told}",
        )
    ]


BENCHMARK = Benchmark(id="monitor.cpu_per_event_growth", title="own CPU per event as the cluster grows", run=run)
