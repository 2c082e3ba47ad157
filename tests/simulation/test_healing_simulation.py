"""Days of a simulated cluster, in which much goes wrong, under the product's own decisions.

Every promise is checked at each event; see `Invariants`. More seeds and days: SIMULATION_SEEDS=200 SIMULATION_DAYS=7.
"""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.support.simulation.population import POOL
from tests.support.simulation.simulation import QUIET, Simulation
from tests.support.simulation.watch import Broken

from auto_healing.facts import Pause
from auto_healing.marks import HEAL
from auto_healing.run import RunState
from common.cluster.rows import DeploymentRow, NodeRow

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "3"))
SMALL_POOLS = ((1, 1), (2, 1), (2, 2), (4, 2), (10, 2), (50, 1), (50, 2))
DAYS = int(os.environ.get("SIMULATION_DAYS", "1"))


@pytest.mark.parametrize("seed", range(1, SEEDS + 1), ids=lambda seed: f"seed {seed}")
def test_days_of_trouble_break_no_promise(seed: int) -> None:
    simulation = Simulation(seed, nodes=60, pods=400)

    simulation.days(DAYS, troubles=30)
    simulation.end()

    counts = simulation.invariants.counts
    assert counts["writes"] > 0, "nothing was healed, so nothing was tried"
    assert counts["healed"] > 0


@pytest.mark.parametrize(
    ("size", "ill"),
    [pytest.param(size, ill, id=f"{ill} of {size} nodes ill") for size, ill in SMALL_POOLS],
)
def test_a_small_pool_always_gets_one_repair(size: int, ill: int) -> None:
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
    assert {run.state for run in begun} <= {RunState.HEALED, RunState.UNDONE, RunState.VERIFYING, RunState.RUNNING}


def _in_a_pause(simulation: Simulation) -> None:
    now = simulation.agenda.now
    simulation.healing.pauses = [Pause(reason="release", by="eve", since=now)]
    simulation.troubles.lonely_crash_loop()


def _without_word_from_the_monitor(simulation: Simulation) -> None:
    simulation.troubles.lonely_crash_loop()
    simulation.run(timedelta(minutes=4))
    simulation.healing.monitor_down = True


def _in_an_opted_out_workload(simulation: Simulation) -> None:
    (key, *_) = [key for key, row in simulation.cluster.store.rows(DeploymentRow).items() if HEAL in row.labels]
    (pod, *_) = simulation.cluster.store.pods_of(key)
    simulation.kubelets.ailments.pods.add(pod.uid)
    simulation.kubelets.crash(pod)


@pytest.mark.parametrize(
    ("without", "happens"),
    [
        pytest.param("paused", _in_a_pause, id="a pod is touched during a pause"),
        pytest.param("fresh-view", _without_word_from_the_monitor, id="a step rests on old findings"),
        pytest.param("protected", _in_an_opted_out_workload, id="a workload that has opted out is touched"),
    ],
)
def test_every_promise_can_be_seen_broken(without: str, happens: Callable[[Simulation], None]) -> None:
    """The same as above, with a guard left out."""
    simulation = Simulation(1, nodes=40, pods=200, kills=0, without=without)
    happens(simulation)

    with pytest.raises(Broken, match="seed 1, "):
        simulation.run(timedelta(hours=4))
