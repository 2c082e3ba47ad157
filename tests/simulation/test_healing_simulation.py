"""Days of a simulated cluster, in which much goes wrong, under the product's own decisions.

Every promise is checked at each event; see `Invariants`. More seeds and days: SIMULATION_SEEDS=200 SIMULATION_DAYS=7.
"""

import os

import pytest
from tests.support.simulation.invariants import Broken
from tests.support.simulation.population import POOL
from tests.support.simulation.simulation import QUIET, Simulation

from auto_healing.place import pool_of
from auto_healing.run import RunState
from common.cluster.rows import NodeRow

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "4"))
DAYS = int(os.environ.get("SIMULATION_DAYS", "1"))


@pytest.mark.parametrize("seed", range(1, SEEDS + 1), ids=lambda seed: f"seed {seed}")
def test_days_of_trouble_break_no_promise(seed: int) -> None:
    simulation = Simulation(seed, nodes=60, pods=400)

    simulation.days(DAYS, troubles=40)
    simulation.end()

    counts = simulation.invariants.counts
    assert counts["writes"] > 0, "nothing was healed, so nothing was tried"
    assert counts["healed"] > 0


@pytest.mark.parametrize("ill", [1, 2], ids=["one node is ill", "two nodes are ill"])
@pytest.mark.parametrize("size", [1, 2, 4, 10, 50], ids=lambda size: f"a pool of {size}")
def test_a_small_pool_always_gets_one_repair(size: int, ill: int) -> None:
    if ill > size:
        pytest.skip("there are not so many")
    simulation = Simulation(1, nodes=70, pods=120, kills=0)
    rows = list(simulation.cluster.store.rows(NodeRow).values())
    workers = [node for node in rows if POOL in node.labels]
    for number, node in enumerate(workers):
        pool = "small" if number < size else f"rest-{number % 3}"
        simulation.cluster.put(node, labels={**node.labels, POOL: pool})
    names = [node.name for node in workers[:ill]]

    for name in names:
        simulation.kubelets.say(name, "False", "KubeletNotReady")
    simulation.run(QUIET / 9)

    begun = [run for run in simulation.healing.runs.values() if run.plan.target.name in names and run.started_at]
    assert begun, f"no node of {size} was repaired"
    assert {pool_of(node) for node in simulation.cluster.store.rows(NodeRow).values()} >= {"small"}
    assert {run.state for run in begun} <= {RunState.HEALED, RunState.UNDONE, RunState.VERIFYING, RunState.RUNNING}


@pytest.mark.parametrize("guard", ["paused", "fresh-view", "attempts"])
def test_the_invariants_notice_a_guard_that_is_missing(guard: str) -> None:
    with pytest.raises(Broken, match=r"seed \d+, "):
        for seed in range(1, 6):
            simulation = Simulation(seed, nodes=60, pods=400, without=guard)
            simulation.days(2, troubles=60)
