"""Rollouts rolled back, and forward again, on a real control plane."""

from uuid import uuid4

import pytest
from tests.support.healing_cluster import Cut, DyingCluster, Place
from tests.support.healing_workloads import PODS, deployed, images, new_pods, roll_out, template

from auto_healing.actions.action import Outcome, Result
from auto_healing.actions.rollouts.restart_rollout import RestartRollout
from auto_healing.actions.rollouts.roll_back import RollBack
from auto_healing.kube.revisions import revisions_of
from auto_healing.marks import ROLLED_BACK_FROM

pytestmark = pytest.mark.cluster

KINDS = ("Deployment", "StatefulSet", "DaemonSet")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stuck_rollout_is_rolled_back_to_the_revision_that_works_and_forward_again(
    place: Place, kind: str
) -> None:
    ref = await deployed(place, kind)
    roll_out(place, ref, "web:2", broken=False)
    await place.ready(kind, "web", PODS)
    good = template(place, ref)
    roll_out(place, ref, "web:3", broken=True)
    await new_pods(place, "web:3")
    doing = await place.doing(RollBack(), ref)

    outcome = await RollBack().apply(doing)

    assert outcome.result is Result.DONE, outcome
    assert "Ready right now" in outcome.message
    assert outcome.numbers["freed_pods"] == (1 if kind == "StatefulSet" else 0)
    assert template(place, ref) == good
    await place.ready(kind, "web", PODS)
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
    await place.ready("Deployment", "web", PODS)

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
