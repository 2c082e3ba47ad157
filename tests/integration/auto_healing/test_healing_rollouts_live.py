"""Rollouts restarted and paused on a real control plane."""

from typing import Any
from uuid import uuid4

import pytest
from tests.support.healing_cluster import Cut, DyingCluster, Place, a_place
from tests.support.healing_workloads import PODS, deployed, new_pods, roll_out, template
from tests.support.waiting import eventually

from auto_healing.actions.action import Result
from auto_healing.actions.rollouts.pause_rollout import PauseRollout
from auto_healing.actions.rollouts.restart_rollout import RestartRollout
from auto_healing.actions.rollouts.roll_back import RollBack
from auto_healing.kube.cluster import NotActing
from auto_healing.marks import RESTARTED_AT
from common.kube.errors import Conflict
from devcluster import DevCluster

pytestmark = pytest.mark.cluster

KINDS = ("Deployment", "StatefulSet", "DaemonSet")


@pytest.mark.parametrize("kind", KINDS)
async def test_all_pods_are_restarted_once(place: Place, kind: str) -> None:
    ref = await deployed(place, kind)
    before = {pod["metadata"]["uid"] for pod in place.pods()}
    doing = await place.doing(RestartRollout(), ref)

    outcome = await RestartRollout().apply(doing)

    assert outcome.result is Result.DONE, outcome
    assert not before & {pod["metadata"]["uid"] for pod in place.pods()}
    assert len(place.pods()) == PODS
    assert RESTARTED_AT in template(place, ref)["metadata"]["annotations"]
    generation = place.get(kind, "web")["metadata"]["generation"]
    assert (await RestartRollout().apply(doing)).result is Result.DONE
    assert place.get(kind, "web")["metadata"]["generation"] == generation
    assert [kept for kept, _ in place.store.evidence] == [ref]
    assert (await RestartRollout().undo(doing, outcome)).result is Result.FAILED


async def test_a_broken_pod_does_not_hold_the_restart_of_a_stateful_set_up(place: Place) -> None:
    ref = await deployed(place, "StatefulSet")
    broken = {"metadata": {"labels": {"devcluster/fault": "failing-probes"}}}
    place.cluster.api.patch(f"/api/v1/namespaces/{place.namespace}/pods/web-0", broken)

    async def unready() -> bool:
        return place.get("StatefulSet", "web")["status"].get("readyReplicas") == PODS - 1

    await eventually(unready)

    outcome = await RestartRollout().apply(await place.doing(RestartRollout(), ref))

    assert (outcome.result, outcome.numbers) == (Result.DONE, {"freed_pods": 1})
    assert "web-0" in [kept.name for kept, _ in place.store.evidence]


@pytest.mark.parametrize("action", [RestartRollout(), RollBack(), PauseRollout()], ids=lambda action: action.code)
async def test_an_edit_between_reading_and_writing_is_a_conflict(place: Place, action: Any) -> None:
    ref = await deployed(place, "Deployment")
    roll_out(place, ref, "web:2", broken=True)
    await new_pods(place, "web:2")

    class Slow:
        """Somebody else writes just before each patch."""

        def __getattr__(self, name: str) -> Any:
            return getattr(place.live, name)

        async def patch(self, *arguments: Any, **options: Any) -> Any:
            roll_out(place, ref, "web:9", broken=False)
            return await place.live.patch(*arguments, **options)

    with pytest.raises(Conflict):
        await action.apply(await place.doing(action, ref, cluster=Slow()))
    assert template(place, ref)["spec"]["containers"][0]["image"] == "web:9"


@pytest.mark.parametrize("action", [RestartRollout(), RollBack(), PauseRollout()], ids=lambda action: action.code)
async def test_who_does_not_lead_changes_no_rollout(place: Place, devcluster_shared: DevCluster, action: Any) -> None:
    ref = await deployed(place, "Deployment")
    roll_out(place, ref, "web:2", broken=True)
    await new_pods(place, "web:2")
    before = place.get("Deployment", "web")["metadata"]["generation"]
    async with a_place(devcluster_shared, place.namespace, may_write=lambda: False) as standby:
        with pytest.raises(NotActing):
            await action.apply(await standby.doing(action, ref))
    assert place.get("Deployment", "web")["metadata"]["generation"] == before


async def test_a_rollout_is_paused_as_a_leased_change_and_resumed(place: Place) -> None:
    ref = await deployed(place, "Deployment")
    roll_out(place, ref, "web:2", broken=True)
    await new_pods(place, "web:2")
    doing = await place.doing(PauseRollout(), ref)

    outcome = await PauseRollout().apply(doing)
    again = await PauseRollout().apply(doing)

    assert (outcome.result, again.result) == (Result.DONE, Result.DONE)
    assert again.inverse == outcome.inverse
    assert place.get("Deployment", "web")["spec"]["paused"]
    ((id_, change),) = place.store.leased.items()
    assert (change.path, change.before, change.after) == (("spec", "paused"), None, True)
    other = await PauseRollout().apply(await place.doing(PauseRollout(), ref, run_id=uuid4()))
    assert (other.result, other.message) == (Result.FAILED, "web is paused already, by somebody else")

    assert (await PauseRollout().undo(doing, outcome)).result is Result.DONE
    assert not place.get("Deployment", "web")["spec"].get("paused")
    assert place.store.released == [id_]
    assert (await PauseRollout().undo(doing, outcome)).result is Result.ALREADY


async def test_a_pause_cut_off_after_its_write_is_known_again(place: Place) -> None:
    ref, run_id = await deployed(place, "Deployment"), uuid4()
    roll_out(place, ref, "web:2", broken=True)
    await new_pods(place, "web:2")
    with pytest.raises(Cut):
        await PauseRollout().apply(
            await place.doing(PauseRollout(), ref, run_id=run_id, cluster=DyingCluster(place.live, 1))
        )
    generation = place.get("Deployment", "web")["metadata"]["generation"]

    outcome = await PauseRollout().apply(await place.doing(PauseRollout(), ref, run_id=run_id))

    assert outcome.result is Result.DONE
    assert len(place.store.leased) == 1
    assert place.get("Deployment", "web")["metadata"]["generation"] == generation
