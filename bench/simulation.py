"""How fast days of a simulated cluster go by under the product's own decisions, every promise checked at each event."""

import time

from tests.support.simulation.simulation import Simulation

from bench.figure import Benchmark, Figure

ID = "healing.simulation"
NODES, PODS, TROUBLES = 100, 1_000, 24
DAYS = 1_000


async def run(quick: bool) -> list[Figure]:
    rounds, days = (2, 1) if quick else (5, 8)
    readings, events = [], 0
    for seed in range(1, rounds + 1):
        simulation = Simulation(seed, nodes=NODES, pods=PODS)
        before, started = simulation.events, time.process_time()
        simulation.days(days, troubles=TROUBLES)
        readings.append((time.process_time() - started) / days * DAYS / 60)
        events += simulation.events - before
    return [
        Figure(
            id=ID,
            what=f"{DAYS:,} cluster-days of {NODES} nodes and {PODS:,} pods",
            unit="min",
            target=30,
            better="lower",
            runs=readings,
            conditions=(
                f"extrapolated from {rounds * days} simulated days, {rounds} seeds of {days} days each; "
                f"{TROUBLES // 2} to {TROUBLES} troubles and {events // (rounds * days):,} instants a day; time of one "
                "core; the checks of health_monitor, attribution, decision, guards, placement and verdicts are the "
                "product's own, the cluster and what actions do to it are simulated"
            ),
        )
    ]


BENCHMARK = Benchmark(id=ID, title="days of a simulated cluster in trouble", run=run)
