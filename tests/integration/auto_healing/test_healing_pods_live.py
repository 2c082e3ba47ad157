"""Pods deleted and evicted on a real control plane."""

import asyncio
from typing import Any

import pytest
from tests.support.healing_cluster import Place, a_place, a_workload, ref_of
from tests.support.healing_workloads import a_ready_pod, budgeted, replaced, uids
from tests.support.waiting import eventually

from auto_healing.actions.action import Result
from auto_healing.actions.pods.delete_pod import DeletePod
from auto_healing.actions.pods.evict_pod import EvictPod
from auto_healing.actions.pods.restart_surge_first import RestartSurgeFirst
from auto_healing.kube.cluster import NotActing
from common.contracts import ObjectRef
from devcluster import DevCluster

pytestmark = pytest.mark.cluster


async def test_a_pod_is_deleted_once_and_its_evidence_kept_before(place: Place) -> None:
    pod = await a_ready_pod(place)
    doing = await place.doing(DeletePod(), pod)

    first = await DeletePod().apply(doing)
    again = await DeletePod().apply(doing)

    assert (first.result, again.result) == (Result.DONE, Result.ALREADY)
    await replaced(place, pod, 1)
    (ref, evidence), *_ = place.store.evidence
    assert ref == pod
    assert evidence["manifest"]["status"]["phase"] == "Running"
    assert evidence["workload"]["name"] == "web"
    assert "hidden-greeting" not in str(evidence)


async def test_no_evidence_no_deletion(place: Place) -> None:
    pod = await a_ready_pod(place)

    class Full(type(place.store)):  # type: ignore[misc]
        async def save_evidence(self, *_: Any) -> Any:
            raise OSError("no space left")

    place.store = Full()
    for action in (DeletePod(), EvictPod()):
        with pytest.raises(OSError, match="no space"):
            await action.apply(await place.doing(action, pod))
    assert pod.uid in uids(place)


@pytest.mark.parametrize("action", [DeletePod(), EvictPod()], ids=["delete", "evict"])
async def test_the_pod_that_took_its_name_is_left(place: Place, action: Any) -> None:
    place.cluster.api.create(a_workload(place.namespace, "StatefulSet", "db", replicas=1))
    await place.ready("StatefulSet", "db", 1)
    pod = ref_of(place.pods()[0])
    doing = await place.doing(action, pod)
    place.cluster.api.delete(f"/api/v1/namespaces/{place.namespace}/pods/{pod.name}")

    async def made_again() -> bool:
        return bool(uids(place) - {pod.uid})

    await eventually(made_again)
    second = uids(place)

    outcome = await action.apply(doing)

    assert outcome.result is Result.ALREADY
    assert uids(place) == second


@pytest.mark.parametrize("action", [DeletePod(), EvictPod(), RestartSurgeFirst()], ids=["delete", "evict", "surge"])
async def test_who_does_not_lead_takes_no_pod_away(place: Place, devcluster_shared: DevCluster, action: Any) -> None:
    pod = await a_ready_pod(place)
    async with a_place(devcluster_shared, place.namespace, may_write=lambda: False) as standby:
        with pytest.raises(NotActing):
            await action.apply(await standby.doing(action, pod))
    assert uids(place) == {pod.uid}


async def test_an_eviction_waits_for_the_budget_and_goes_through_when_it_has_room(place: Place) -> None:
    pod = await a_ready_pod(place, replicas=1)
    await budgeted(place, 1, minAvailable=1)
    task = asyncio.create_task(EvictPod().apply(await place.doing(EvictPod(), pod)))
    await asyncio.wait([task], timeout=0.5)
    assert not task.done()

    await place.live.scale(place.ref("Deployment", "web"), 2)
    outcome = await task

    assert outcome.result is Result.DONE
    assert outcome.numbers["blocked_by"] == "web"
    assert int(outcome.numbers["tries"]) > 1
    await replaced(place, pod, 2)


async def test_an_eviction_that_gets_no_room_in_time_names_the_budget(place: Place) -> None:
    pod = await a_ready_pod(place)
    await budgeted(place, 1, name="keep-one", minAvailable=1)

    outcome = await EvictPod().apply(await place.doing(EvictPod(), pod, seconds=0.2))

    assert outcome.result is Result.BLOCKED
    assert "keep-one" in outcome.message
    assert uids(place) == {pod.uid}


async def test_a_pod_of_two_budgets_is_given_up_at_once(place: Place) -> None:
    pod = await a_ready_pod(place)
    await budgeted(place, 1, name="first", maxUnavailable=1)
    await budgeted(place, 1, name="second", maxUnavailable=1)

    outcome = await EvictPod().apply(await place.doing(EvictPod(), pod, seconds=3600))

    assert outcome.result is Result.FAILED
    assert "first, second" in outcome.message
    assert outcome.numbers["tries"] == 1


class Recorder:
    """A live cluster that remembers with which grace pods were told to go."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self.graces: list[int | None] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    async def delete(self, ref: ObjectRef, *, grace_seconds: int | None = None) -> bool:
        self.graces.append(grace_seconds)
        return bool(await self._live.delete(ref, grace_seconds=grace_seconds))

    async def evict(self, ref: ObjectRef, *, grace_seconds: int | None = None) -> bool:
        self.graces.append(grace_seconds)
        return bool(await self._live.evict(ref, grace_seconds=grace_seconds))


@pytest.mark.parametrize("action", [DeletePod(), EvictPod()], ids=["delete", "evict"])
@pytest.mark.parametrize(("own", "given"), [(0, 1), (7, None)])
async def test_the_grace_is_the_pods_own_but_never_zero(place: Place, action: Any, own: int, given: int | None) -> None:
    """At 0 the API server would forget the pod while its containers may still run."""
    pod = await a_ready_pod(place, pod={"terminationGracePeriodSeconds": own})
    recorder = Recorder(place.live)

    outcome = await action.apply(await place.doing(action, pod, cluster=recorder))

    assert outcome.result is Result.DONE
    assert recorder.graces == [given]
