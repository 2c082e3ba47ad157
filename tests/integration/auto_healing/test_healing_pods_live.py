"""Pods deleted, evicted and replaced on a real control plane."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import pytest
from tests.support.healing_cluster import Cut, DyingCluster, Place, a_budget, a_place, a_workload, ref_of
from tests.support.waiting import eventually

from auto_healing.actions.action import Result
from auto_healing.actions.pods.delete_pod import DeletePod
from auto_healing.actions.pods.evict_pod import EvictPod
from auto_healing.actions.pods.restart_surge_first import RestartSurgeFirst
from auto_healing.kube.cluster import NotActing
from auto_healing.kube.revisions import is_ready
from common.contracts import ObjectRef
from devcluster import DevCluster

pytestmark = pytest.mark.cluster

NO_MISSING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


@pytest.fixture
async def place(devcluster_shared: DevCluster, namespace: str) -> AsyncIterator[Place]:
    async with a_place(devcluster_shared, namespace) as place:
        yield place


async def deployed(place: Place, replicas: int = 1, **options: Any) -> ObjectRef:
    """A pod of a Deployment that is complete."""
    place.cluster.api.create(a_workload(place.namespace, replicas=replicas, **options))
    await place.ready("Deployment", "web", replicas)
    return ref_of(place.pods()[0])


async def budgeted(place: Place, healthy: int, *, name: str = "web", **rule: Any) -> None:
    place.cluster.api.create(a_budget(place.namespace, name, **rule))

    async def counted() -> bool:
        found = place.objects("policy/v1/poddisruptionbudgets")
        return all(each.get("status", {}).get("currentHealthy") == healthy for each in found)

    await eventually(counted)


def uids(place: Place) -> set[str]:
    return {pod["metadata"]["uid"] for pod in place.pods()}


async def replaced(place: Place, pod: ObjectRef, replicas: int) -> None:
    await place.ready("Deployment", "web", replicas)
    assert pod.uid not in uids(place)


@asynccontextmanager
async def always_ready(place: Place, least: int) -> AsyncIterator[list[int]]:
    """Counts ready pods until the block ends, and fails when they were ever fewer."""
    counts: list[int] = []

    async def watch() -> None:
        while True:
            pods = await place.live.list("Pod", place.namespace)
            counts.append(sum(is_ready(pod) for pod in pods))
            await asyncio.sleep(0.01)

    task = asyncio.create_task(watch())
    try:
        yield counts
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert min(counts) >= least, counts


async def test_a_pod_is_deleted_once_and_its_evidence_kept_before(place: Place) -> None:
    pod = await deployed(place)
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
    pod = await deployed(place)

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
    pod = await deployed(place)
    async with a_place(devcluster_shared, place.namespace, may_write=lambda: False) as standby:
        with pytest.raises(NotActing):
            await action.apply(await standby.doing(action, pod))
    assert uids(place) == {pod.uid}


async def test_an_eviction_waits_for_the_budget_and_goes_through_when_it_has_room(place: Place) -> None:
    pod = await deployed(place, replicas=1)
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
    pod = await deployed(place)
    await budgeted(place, 1, name="keep-one", minAvailable=1)

    outcome = await EvictPod().apply(await place.doing(EvictPod(), pod, seconds=0.2))

    assert outcome.result is Result.BLOCKED
    assert "keep-one" in outcome.message
    assert uids(place) == {pod.uid}


async def test_a_pod_of_two_budgets_is_given_up_at_once(place: Place) -> None:
    pod = await deployed(place)
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
    pod = await deployed(place, pod={"terminationGracePeriodSeconds": own})
    recorder = Recorder(place.live)

    outcome = await action.apply(await place.doing(action, pod, cluster=recorder))

    assert outcome.result is Result.DONE
    assert recorder.graces == [given]


async def test_a_single_replica_is_restarted_by_a_rollout_that_surges(place: Place) -> None:
    pod = await deployed(place)
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
    pod = await deployed(place, replicas, **options)
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
    pod = await deployed(place, 2)
    await at_no_place(place)

    outcome = await RestartSurgeFirst().apply(await place.doing(RestartSurgeFirst(), pod, seconds=0.5))

    assert outcome.result is Result.BLOCKED
    await place.ready("Deployment", "web", 2)
    assert pod.uid in uids(place)
    assert place.store.released == list(place.store.leased)


async def test_a_rollout_that_never_gets_ready_is_turned_back_and_the_old_pod_stays(place: Place) -> None:
    pod = await deployed(place, 1)
    await at_no_place(place)

    outcome = await RestartSurgeFirst().apply(await place.doing(RestartSurgeFirst(), pod, seconds=0.5))

    assert outcome.result is Result.BLOCKED
    assert "turned back" in outcome.message
    await place.ready("Deployment", "web", 1)
    assert uids(place) == {pod.uid}


async def at_no_place(place: Place) -> None:
    """From now on the namespace has room for no further pod."""
    now = len(place.pods())
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "full", "namespace": place.namespace},
        "spec": {"hard": {"pods": str(now)}},
    }
    place.cluster.api.create(quota)

    async def counted() -> bool:
        return any(each.get("status", {}).get("used", {}).get("pods") == str(now) for each in quotas(place))

    await eventually(counted)


def quotas(place: Place) -> list[dict[str, Any]]:
    return place.objects("v1/resourcequotas")


@pytest.mark.parametrize("writes", [1, 2, 3])
async def test_a_replacement_cut_off_after_any_write_is_carried_to_its_end(place: Place, writes: int) -> None:
    """The writes are: one replica more, the mark on the pod, one replica less."""
    pod = await deployed(place, 2)
    action, run_id = RestartSurgeFirst(), uuid4()
    async with always_ready(place, 2):
        with pytest.raises(Cut):
            await action.apply(await place.doing(action, pod, run_id=run_id, cluster=DyingCluster(place.live, writes)))
        outcome = await action.apply(await place.doing(action, pod, run_id=run_id))

    assert outcome.result in {Result.DONE, Result.ALREADY}
    await replaced(place, pod, 2)
    assert place.get("Deployment", "web")["spec"]["replicas"] == 2
    assert len(place.store.leased) == 1
