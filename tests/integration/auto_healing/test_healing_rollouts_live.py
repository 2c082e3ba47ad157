"""Rollouts restarted, rolled back and paused on a real control plane."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from tests.support.healing_cluster import Cut, DyingCluster, Json, Place, a_place, a_workload
from tests.support.waiting import eventually

from auto_healing.actions.action import Outcome, Result
from auto_healing.actions.rollouts.pause_rollout import PauseRollout
from auto_healing.actions.rollouts.restart_rollout import RestartRollout
from auto_healing.actions.rollouts.roll_back import RollBack
from auto_healing.kube.cluster import NotActing
from auto_healing.kube.revisions import revisions_of
from auto_healing.marks import RESTARTED_AT, ROLLED_BACK_FROM
from common.contracts import ObjectRef
from common.kube.errors import Conflict
from devcluster import DevCluster
from devcluster.api import STRATEGIC_PATCH

pytestmark = pytest.mark.cluster

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
NODES = 2  # that the DaemonSets of these tests run on


@pytest.fixture
async def place(devcluster_shared: DevCluster, namespace: str) -> AsyncIterator[Place]:
    async with a_place(devcluster_shared, namespace) as place:
        yield place


async def deployed(place: Place, kind: str, **spec: Any) -> ObjectRef:
    """A workload of two pods that is complete. A DaemonSet is kept to two nodes by their names."""
    names = sorted(node["metadata"]["name"] for node in place.cluster.api.items("/api/v1/nodes"))[:NODES]
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": names}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}
    pod = affinity if kind == "DaemonSet" else {}
    place.cluster.api.create(a_workload(place.namespace, kind, replicas=NODES, pod=pod, **spec))
    await place.ready(kind, "web", NODES)
    return place.ref(kind, "web")


def roll_out(place: Place, ref: ObjectRef, image: str, *, broken: bool) -> None:
    """A new revision, which never gets ready when it is broken."""
    label = {"devcluster/fault": "failing-probes" if broken else None}
    template = {"metadata": {"labels": label}, "spec": {"containers": [{"name": "app", "image": image}]}}
    place.cluster.api.patch(place.path(ref.kind, ref.name), {"spec": {"template": template}}, STRATEGIC_PATCH)


async def new_pods(place: Place, image: str) -> None:
    """Until a pod of the revision is there."""

    async def there() -> bool:
        return image in images(place)

    await eventually(there)


def images(place: Place) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in place.pods()]


def template(place: Place, ref: ObjectRef) -> Json:
    found: Json = place.get(ref.kind, ref.name)["spec"]["template"]
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_all_pods_are_restarted_once(place: Place, kind: str) -> None:
    ref = await deployed(place, kind)
    before = {pod["metadata"]["uid"] for pod in place.pods()}
    doing = await place.doing(RestartRollout(), ref)

    outcome = await RestartRollout().apply(doing)

    assert outcome.result is Result.DONE, outcome
    assert not before & {pod["metadata"]["uid"] for pod in place.pods()}
    assert len(place.pods()) == NODES
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
        return place.get("StatefulSet", "web")["status"].get("readyReplicas") == NODES - 1

    await eventually(unready)

    outcome = await RestartRollout().apply(await place.doing(RestartRollout(), ref))

    assert (outcome.result, outcome.numbers) == (Result.DONE, {"freed_pods": 1})
    assert "web-0" in [kept.name for kept, _ in place.store.evidence]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stuck_rollout_is_rolled_back_to_the_revision_that_works_and_forward_again(
    place: Place, kind: str
) -> None:
    ref = await deployed(place, kind)
    roll_out(place, ref, "web:2", broken=False)
    await place.ready(kind, "web", NODES)
    good = template(place, ref)
    roll_out(place, ref, "web:3", broken=True)
    await new_pods(place, "web:3")
    doing = await place.doing(RollBack(), ref)

    outcome = await RollBack().apply(doing)

    assert outcome.result is Result.DONE, outcome
    assert "Ready right now" in outcome.message
    assert outcome.numbers["freed_pods"] == (1 if kind == "StatefulSet" else 0)
    assert template(place, ref) == good
    await place.ready(kind, "web", NODES)
    assert set(images(place)) == {"web:2"}
    assert ref in [kept for kept, _ in place.store.evidence]
    generation = place.get(kind, "web")["metadata"]["generation"]
    again = await RollBack().apply(doing)
    assert (again.result, again.inverse) == (Result.DONE, outcome.inverse)
    assert place.get(kind, "web")["metadata"]["generation"] == generation

    undone = await RollBack().undo(doing, outcome)

    assert undone.result is Result.DONE, undone
    assert template(place, ref)["spec"]["containers"][0]["image"] == "web:3"
    assert ROLLED_BACK_FROM not in (place.get(kind, "web")["metadata"].get("annotations") or {})
    assert (await RollBack().undo(doing, outcome)).result is Result.ALREADY


async def test_a_rollback_whose_end_nobody_stored_is_undone_by_what_it_wrote(place: Place) -> None:
    ref = await deployed(place, "Deployment")
    roll_out(place, ref, "web:2", broken=True)
    await new_pods(place, "web:2")
    doing = await place.doing(RollBack(), ref)
    unknown = Outcome(result=Result.FAILED, message="interrupted")
    assert (await RollBack().undo(doing, unknown)).result is Result.ALREADY

    await RollBack().apply(doing)

    assert (await RollBack().undo(doing, unknown)).result is Result.DONE
    assert template(place, ref)["spec"]["containers"][0]["image"] == "web:2"


async def test_two_bad_revisions_in_a_row_lead_back_to_the_one_before_both(place: Place) -> None:
    ref = await deployed(place, "Deployment")
    for image in ("web:2", "web:3"):
        roll_out(place, ref, image, broken=True)
        await new_pods(place, image)

    outcome = await RollBack().apply(await place.doing(RollBack(), ref))

    assert outcome.result is Result.DONE, outcome
    assert "revision 1" in outcome.message
    assert set(images(place)) == {"web:1"}


async def test_what_replaced_all_its_former_pods_is_rolled_back_only_to_what_served_long_enough(place: Place) -> None:
    ref = await deployed(place, "Deployment")
    roll_out(place, ref, "web:2", broken=False)
    await place.ready("Deployment", "web", NODES)

    refused = await RollBack().apply(await place.doing(RollBack(), ref))

    assert refused.result is Result.FAILED
    assert "known to have been healthy" in refused.message
    assert set(images(place)) == {"web:2"}


async def test_a_restart_is_no_revision_to_go_back_from(place: Place) -> None:
    ref = await deployed(place, "Deployment")
    await RestartRollout().apply(await place.doing(RestartRollout(), ref))

    outcome = await RollBack().apply(await place.doing(RollBack(), ref, parameters={"served_minutes": 1}))

    assert outcome.result is Result.FAILED
    assert len(await revisions_of(place.live, await place.live.read(ref) or {})) == 2


async def test_what_somebody_rolled_out_since_is_not_undone(place: Place) -> None:
    ref = await deployed(place, "Deployment")
    roll_out(place, ref, "web:2", broken=True)
    await new_pods(place, "web:2")
    doing = await place.doing(RollBack(), ref)
    outcome = await RollBack().apply(doing)
    roll_out(place, ref, "web:3", broken=False)
    place.cluster.api.patch(
        place.path("Deployment", "web"), {"metadata": {"annotations": {"k8s-health-checker/run": None}}}
    )

    undone = await RollBack().undo(doing, outcome)

    assert undone.result is Result.FAILED
    assert template(place, ref)["spec"]["containers"][0]["image"] == "web:3"


async def test_an_edit_between_reading_and_writing_is_a_conflict(place: Place) -> None:
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

    for action in (RollBack(), RestartRollout()):
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


@pytest.mark.parametrize(
    ("kind", "writes"), [("Deployment", 1), ("StatefulSet", 1), ("StatefulSet", 2), ("DaemonSet", 1)]
)
async def test_a_rollback_cut_off_after_any_write_is_carried_to_its_end(place: Place, kind: str, writes: int) -> None:
    """The writes are: the template, and the deletion of the pod that holds a StatefulSet up."""
    ref, run_id = await deployed(place, kind), uuid4()
    good = template(place, ref)
    roll_out(place, ref, "web:2", broken=True)
    await new_pods(place, "web:2")
    with pytest.raises(Cut):
        await RollBack().apply(
            await place.doing(RollBack(), ref, run_id=run_id, cluster=DyingCluster(place.live, writes))
        )

    outcome = await RollBack().apply(await place.doing(RollBack(), ref, run_id=run_id))

    assert outcome.result is Result.DONE, outcome
    assert template(place, ref) == good
    left = str(outcome.inverse["left"])
    names = [revision.name for revision in await revisions_of(place.live, await place.live.read(ref) or {})]
    assert names.index(left) == 0  # the revision gone back to is the newest now, and the bad one is the former


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
