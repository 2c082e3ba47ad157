"""Cordon, drain, move and reschedule on a real control plane."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from tests.support.healing_cluster import Place, a_budget, ref_of
from tests.support.healing_nodes import Crashed, Ground, LateClock, Watching, ground, nodes_cluster
from tests.support.waiting import eventually

from auto_healing.actions.action import Action, Doing, Outcome, Result
from auto_healing.actions.nodes import NODE_ACTIONS
from auto_healing.marks import AVOID_TAINT, CORDON_REASON, CORDON_UNTIL, CORDONED_BY, CORDONED_FOR, DRAIN_ORDER, FENCED
from common.contracts import ObjectRef

__all__ = ["ground", "nodes_cluster"]
pytestmark = pytest.mark.cluster

CORDON, UNCORDON, DRAIN, MOVE, RESCHEDULE = NODE_ACTIONS


async def doing(place: Place, action: Action, target: ObjectRef, **how: Any) -> Doing:
    return await place.doing(action, target, **how)


async def test_a_cordon_is_owned_and_only_its_own_run_takes_it_back(ground: Ground) -> None:
    (name,) = ground.nodes
    step = await doing(ground.place, CORDON, ground.ref(name))
    outcome = await CORDON.apply(step)

    assert outcome.result is Result.DONE
    assert ground.cordoned(name)
    marks = ground.annotations(name)
    assert marks[CORDONED_BY] == step.mark
    assert marks[CORDON_REASON] == "a test wants it"
    assert marks[CORDON_UNTIL] > step.clock.now().isoformat(timespec="seconds")
    assert [change.path for change in ground.place.store.leased.values()] == [("spec", "unschedulable")]

    again = await CORDON.apply(step)
    assert (again.result, again.inverse) == (Result.ALREADY, outcome.inverse)
    another = await doing(ground.place, CORDON, ground.ref(name))
    assert (await CORDON.undo(another, await CORDON.apply(another))).result is Result.ALREADY
    assert ground.cordoned(name)

    assert (await CORDON.undo(step, outcome)).result is Result.DONE
    assert not ground.cordoned(name)
    assert not {CORDONED_BY, CORDON_REASON, CORDON_UNTIL} & ground.annotations(name).keys()
    assert str(ground.place.store.released[-1]) == outcome.inverse["change"]


async def test_what_a_human_cordoned_is_left_alone_and_named(ground: Ground) -> None:
    (name,) = ground.nodes
    ground.kubectl(name, cordon=True)
    before = ground.annotations(name)
    outcomes = [
        await action.apply(await doing(ground.place, action, ground.ref(name), parameters=parameters))
        for action, parameters in ((CORDON, {}), (DRAIN, {}), (UNCORDON, {}), (UNCORDON, {"take_over": True}))
    ]
    assert {outcome.result for outcome in outcomes} == {Result.FAILED}
    assert all("kubectl-cordon" in outcome.message for outcome in outcomes)
    assert ground.cordoned(name)
    assert ground.annotations(name) == before
    assert not ground.place.store.leased

    approved = await doing(ground.place, UNCORDON, ground.ref(name), parameters={"take_over": True}, approved=True)
    assert (await UNCORDON.apply(approved)).result is Result.DONE
    assert not ground.cordoned(name)


async def test_a_human_who_cordons_anew_owns_the_cordon_whatever_our_marks_say(ground: Ground) -> None:
    (name,) = ground.nodes
    step = await doing(ground.place, CORDON, ground.ref(name))
    outcome = await CORDON.apply(step)
    ground.kubectl(name, cordon=False)
    ground.kubectl(name, cordon=True)

    undone = await CORDON.undo(step, outcome)
    assert undone.result is Result.ALREADY
    assert "kubectl-cordon" in undone.message
    assert ground.cordoned(name)


async def test_a_drained_node_has_its_pods_elsewhere_and_keeps_those_of_daemon_sets(ground: Ground) -> None:
    (first,) = ground.nodes
    await ground.run(replicas=3)
    await ground.run("DaemonSet", "agent", replicas=1)
    second = await ground.grow()

    step = await doing(ground.place, DRAIN, ground.ref(first))
    outcome = await DRAIN.apply(step)

    assert outcome.result is Result.DONE, outcome
    assert {key: outcome.numbers[key] for key in ("evicted", "gone", "left", "daemon_set_pods")} == {
        "evicted": 3,
        "gone": 3,
        "left": 0,
        "daemon_set_pods": 1,
    }
    await ground.settled_on(second, "web", 3)
    assert first in ground.placed("agent").values()
    assert ground.cordoned(first)
    assert len(ground.place.store.evidence[0][1]["pod_manifests"]) == 4
    assert (await DRAIN.undo(step, outcome)).result is Result.DONE
    assert not ground.cordoned(first)


async def test_pods_leave_in_order(ground: Ground) -> None:
    (first,) = ground.nodes
    for name, order in (("late", "20"), ("early", "0"), ("between", "10")):
        await ground.run(name=name, labels={DRAIN_ORDER: order})
    await ground.grow()
    watching = Watching(ground.place)
    outcome = await DRAIN.apply(await doing(ground.place, DRAIN, ground.ref(first), cluster=watching))
    assert outcome.result is Result.DONE, outcome
    assert [name.split("-")[0] for name in watching.evicted] == ["early", "between", "late"]


async def test_a_budget_without_room_blocks_a_drain_until_its_deadline_and_is_named(ground: Ground) -> None:
    (first,) = ground.nodes
    await ground.run(replicas=2)
    ground.place.cluster.api.create(a_budget(ground.place.namespace, minAvailable=2))
    await ground.grow()
    await ground.budgeted(2)
    pods = ground.placed("web")

    clock = LateClock()
    watching = Watching(ground.place, when_blocked=clock.be_late)
    step = await doing(ground.place, DRAIN, ground.ref(first), cluster=watching, clock=clock)
    outcome = await DRAIN.apply(step)

    assert outcome.result is Result.BLOCKED
    assert outcome.numbers["blocking_pdbs"] == "web"
    assert outcome.numbers["left"] == 2
    assert "held by PDB web" in outcome.message
    assert ground.placed("web") == pods
    assert (await DRAIN.undo(step, outcome)).result is Result.DONE
    assert not ground.cordoned(first)


async def test_a_pod_of_several_budgets_blocks_a_drain_at_once(ground: Ground) -> None:
    (first,) = ground.nodes
    await ground.run()
    for name in ("one", "two"):
        ground.place.cluster.api.create(a_budget(ground.place.namespace, name, minAvailable=0))
    await ground.budgeted(1)
    outcome = await DRAIN.apply(await doing(ground.place, DRAIN, ground.ref(first), seconds=60))
    assert outcome.result is Result.BLOCKED
    assert "can never be evicted, since several PDBs select it: one, two" in outcome.message


@pytest.mark.parametrize("after", [False, True], ids=["before an eviction", "after an eviction"])
async def test_a_drain_that_died_goes_on_where_it_was(ground: Ground, after: bool) -> None:
    (first,) = ground.nodes
    await ground.run(replicas=3)
    second = await ground.grow()
    run = uuid4()
    dying = Watching(ground.place, die_at=2, after=after)
    one_by_one = {"parallel": 1}
    with pytest.raises(Crashed):
        await DRAIN.apply(
            await doing(ground.place, DRAIN, ground.ref(first), run_id=run, cluster=dying, parameters=one_by_one)
        )
    assert ground.cordoned(first)

    resumed = Watching(ground.place)
    step = await doing(ground.place, DRAIN, ground.ref(first), run_id=run, cluster=resumed, parameters=one_by_one)
    outcome = await DRAIN.apply(step)

    assert outcome.result is Result.DONE, outcome
    assert set(Counter(dying.evicted + resumed.evicted).values()) == {1}
    assert len(ground.place.store.leased) == 1
    await ground.settled_on(second, "web", 3)
    assert (await DRAIN.undo(step, outcome)).result is Result.DONE
    assert not ground.cordoned(first)


async def while_blocked(ground: Ground, **how: Any) -> tuple[asyncio.Task[Outcome], str]:
    """A drain for disk pressure, which a budget keeps from going on."""
    (first,) = ground.nodes
    await ground.run()
    ground.place.cluster.api.create(a_budget(ground.place.namespace))
    await ground.budgeted(1)
    ground.condition(first, "DiskPressure", "True")
    task = asyncio.create_task(DRAIN.apply(await doing(ground.place, DRAIN, ground.ref(first), seconds=90, **how)))

    async def cordoned() -> bool:
        return ground.cordoned(first)

    await eventually(cordoned)
    assert ground.annotations(first)[CORDONED_FOR] == "DiskPressure"
    return task, first


async def test_a_node_that_recovers_meanwhile_is_drained_no_further(ground: Ground) -> None:
    task, first = await while_blocked(ground)
    pods = ground.placed("web")
    ground.condition(first, "DiskPressure", "False")
    outcome = await task
    assert outcome.result is Result.ALREADY
    assert "has recovered (DiskPressure)" in outcome.message
    assert not ground.cordoned(first)
    assert ground.placed("web") == pods


async def test_a_node_that_somebody_uncordons_is_drained_no_further(ground: Ground) -> None:
    task, first = await while_blocked(ground, parameters={"go_on_when_well": True})
    ground.kubectl(first, cordon=False)
    outcome = await task
    assert outcome.result is Result.FAILED
    assert "uncordoned by somebody meanwhile" in outcome.message


async def test_a_drain_waits_until_volumes_are_detached(ground: Ground) -> None:
    (first,) = ground.nodes
    name = f"attached-{ground.place.namespace}"
    spec = {"attacher": "tests.example.com", "nodeName": first, "source": {"persistentVolumeName": name}}
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": name}, "spec": spec}
    ground.place.cluster.api.create(body)
    task = asyncio.create_task(DRAIN.apply(await doing(ground.place, DRAIN, ground.ref(first), seconds=90)))

    async def cordoned() -> bool:
        return ground.cordoned(first)

    await eventually(cordoned)
    assert not task.done()
    ground.place.cluster.api.delete(f"/apis/storage.k8s.io/v1/volumeattachments/{name}")
    outcome = await task
    assert (outcome.result, outcome.numbers["volumes_attached"]) == (Result.DONE, 0)


async def test_pods_that_a_silent_node_cannot_end_are_not_waited_for(ground: Ground) -> None:
    (first,) = ground.nodes
    await ground.run(replicas=2)
    second = await ground.grow()
    ground.darken(first)
    outcome = await DRAIN.apply(await doing(ground.place, DRAIN, ground.ref(first), seconds=600))
    assert outcome.result is Result.BLOCKED, outcome
    assert (outcome.numbers["evicted"], outcome.numbers["left"]) == (2, 2)
    assert "reschedule-from-node takes them off" in outcome.message
    await ground.settled_on(second, "web", 2)


async def test_a_moved_pod_runs_elsewhere_and_its_node_is_avoided_for_a_while(ground: Ground) -> None:
    (first,) = ground.nodes
    await ground.run()
    second = await ground.grow()
    (pod,) = ground.place.pods()
    step = await doing(ground.place, MOVE, ref_of(pod))
    outcome = await MOVE.apply(step)

    assert outcome.result is Result.DONE, outcome
    await ground.settled_on(second, "web", 1)
    assert ground.taints(first) == {AVOID_TAINT: "PreferNoSchedule"}
    assert [ref for ref, _ in ground.place.store.evidence] == [ref_of(pod)]
    assert (await MOVE.apply(step)).result is Result.ALREADY
    assert (await MOVE.undo(step, outcome)).result is Result.DONE
    assert ground.taints(first) == {}


async def test_pods_of_a_dark_node_are_made_anew_and_those_with_an_identity_only_on_proof(ground: Ground) -> None:
    (first,) = ground.nodes
    await ground.run(replicas=2)
    await ground.run("StatefulSet", "db")
    second = await ground.grow()
    ground.darken(first)

    step = await doing(ground.place, RESCHEDULE, ground.ref(first))
    outcome = await RESCHEDULE.apply(step)
    assert outcome.result is Result.BLOCKED
    assert (outcome.numbers["deleted"], outcome.numbers["left"]) == (2, 1)
    assert FENCED in outcome.message
    await ground.settled_on(second, "web", 2)
    assert ground.placed("db") == {"db-0": first}
    going = [pod for pod in ground.place.objects("v1/pods") if "deletionTimestamp" in pod["metadata"]]
    assert len(going) == 2
    assert "node.kubernetes.io/out-of-service" not in ground.taints(first)

    fenced = {"metadata": {"annotations": {FENCED: "power is off, says a test"}}}
    ground.place.cluster.api.patch(f"/api/v1/nodes/{first}", fenced)
    step = await doing(ground.place, RESCHEDULE, ground.ref(first), seconds=90)
    outcome = await RESCHEDULE.apply(step)
    assert outcome.result is Result.DONE, outcome
    await ground.settled_on(second, "db", 1)
    assert (await RESCHEDULE.undo(step, outcome)).result is Result.DONE
    assert "node.kubernetes.io/out-of-service" not in ground.taints(first)


async def test_a_node_that_answers_is_not_given_up(ground: Ground) -> None:
    (first,) = ground.nodes
    await ground.run()
    pods = ground.placed("web")
    outcome = await RESCHEDULE.apply(await doing(ground.place, RESCHEDULE, ground.ref(first), approved=True))
    assert outcome.result is Result.ALREADY
    assert ground.placed("web") == pods
