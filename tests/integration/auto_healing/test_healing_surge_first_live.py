"""Pods replaced on a real control plane with another one Ready before."""

from typing import Any
from uuid import uuid4

import pytest
from tests.support.healing_cluster import Cut, DyingCluster, Place
from tests.support.healing_workloads import a_ready_pod, always_ready, at_no_place, budgeted, replaced, uids

from auto_healing.actions.action import Outcome, Result
from auto_healing.actions.pods.restart_surge_first import RestartSurgeFirst

pytestmark = pytest.mark.cluster

NO_MISSING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


async def test_a_single_replica_is_restarted_by_a_rollout_that_surges(place: Place) -> None:
    pod = await a_ready_pod(place)
    await budgeted(place, 1, minAvailable=1)
    doing = await place.doing(RestartSurgeFirst(), pod)
    async with always_ready(place, 1):
        outcome = await RestartSurgeFirst().apply(doing)

    assert outcome.result is Result.DONE
    await replaced(place, pod, 1)
    assert [ref for ref, _ in place.store.evidence] == [pod]
    generation = place.get("Deployment", "web")["metadata"]["generation"]
    assert (await RestartSurgeFirst().apply(doing)).result in {Result.DONE, Result.ALREADY}
    assert place.get("Deployment", "web")["metadata"]["generation"] == generation


@pytest.mark.parametrize(
    ("replicas", "options"),
    [
        pytest.param(1, {"strategy": NO_MISSING}, id="a single replica whose strategy does not surge"),
        pytest.param(3, {}, id="one pod of three"),
    ],
)
async def test_a_pod_is_replaced_by_an_extra_one(place: Place, replicas: int, options: dict[str, Any]) -> None:
    pod = await a_ready_pod(place, replicas, **options)
    await budgeted(place, replicas, minAvailable=replicas)
    others = uids(place) - {pod.uid}
    async with always_ready(place, replicas) as counts:
        outcome = await RestartSurgeFirst().apply(await place.doing(RestartSurgeFirst(), pod))

    assert outcome.result is Result.DONE
    assert max(counts) == replicas + 1
    await replaced(place, pod, replicas)
    assert others < uids(place)  # no other one was touched
    assert place.get("Deployment", "web")["spec"]["replicas"] == replicas
    ((id_, change),) = place.store.leased.items()
    assert (change.path, change.before, change.after) == (("spec", "replicas"), replicas, replicas + 1)
    assert place.store.released == [id_]


async def test_an_extra_pod_that_never_gets_ready_is_taken_back_and_the_old_one_stays(place: Place) -> None:
    pod = await a_ready_pod(place, 2)
    await at_no_place(place)

    outcome = await RestartSurgeFirst().apply(await place.doing(RestartSurgeFirst(), pod, seconds=0.5))

    assert outcome.result is Result.BLOCKED
    await place.ready("Deployment", "web", 2)
    assert pod.uid in uids(place)
    assert place.store.released == list(place.store.leased)


async def test_a_rollout_that_never_gets_ready_is_turned_back_and_the_old_pod_stays(place: Place) -> None:
    pod = await a_ready_pod(place, 1)
    await at_no_place(place)

    outcome = await RestartSurgeFirst().apply(await place.doing(RestartSurgeFirst(), pod, seconds=0.5))

    assert outcome.result is Result.BLOCKED
    assert "turned back" in outcome.message
    await place.ready("Deployment", "web", 1)
    assert uids(place) == {pod.uid}


@pytest.mark.parametrize("writes", [1, 2, 3])
async def test_a_replacement_cut_off_after_any_write_is_carried_to_its_end(place: Place, writes: int) -> None:
    """The writes are: one replica more, the mark on the pod, one replica less."""
    pod = await a_ready_pod(place, 2)
    action, run_id = RestartSurgeFirst(), uuid4()
    async with always_ready(place, 2):
        with pytest.raises(Cut):
            await action.apply(await place.doing(action, pod, run_id=run_id, cluster=DyingCluster(place.live, writes)))
        outcome = await action.apply(await place.doing(action, pod, run_id=run_id))

    assert outcome.result in {Result.DONE, Result.ALREADY}
    await replaced(place, pod, 2)
    assert place.get("Deployment", "web")["spec"]["replicas"] == 2
    assert len(place.store.leased) == 1


@pytest.mark.parametrize(
    ("replicas", "words"),
    [pytest.param(2, "extra pod", id="an extra pod"), pytest.param(1, "turned back", id="a rollout")],
)
async def test_what_is_broken_off_is_turned_back(place: Place, replicas: int, words: str) -> None:
    pod = await a_ready_pod(place, replicas)
    await at_no_place(place)
    action, run_id = RestartSurgeFirst(), uuid4()
    with pytest.raises(Cut):
        await action.apply(await place.doing(action, pod, run_id=run_id, cluster=DyingCluster(place.live, 1)))
    unknown = Outcome(result=Result.FAILED, message="interrupted")

    undone = await action.undo(await place.doing(action, pod, run_id=run_id), unknown)

    assert undone.result is Result.DONE
    assert words in undone.message
    await place.ready("Deployment", "web", replicas)
    assert pod.uid in uids(place)
    assert place.store.released == list(place.store.leased)
    assert (await action.undo(await place.doing(action, pod, run_id=run_id), unknown)).result is Result.FAILED
