"""Leased changes are taken back and orphaned cordons lifted, on a real control plane and a real PostgreSQL."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.support.healing_database import claim_healing
from tests.support.healing_nodes import Ground, ground, nodes_cluster
from tests.support.healing_store import a_stored_run, store_runs

from auto_healing.actions.action import Change, Doing, Outcome, Result
from auto_healing.actions.nodes import NODE_ACTIONS, taints
from auto_healing.leased import ChangeState
from auto_healing.marks import CORDON_UNTIL, CORDONED_BY, FENCED
from auto_healing.return_changes import Sweeper, Swept
from auto_healing.storage.changes import Changes
from auto_healing.storage.fence import Deposed
from auto_healing.storage.ledger import Ledger, Search
from common.clock import SystemClock
from common.cluster.kinds import KINDS
from common.cluster.rows import NodeRow
from common.cluster.scan import scan_cluster
from common.database.connections import Database
from common.kube.errors import Unavailable

__all__ = ["ground", "nodes_cluster"]
pytestmark = [pytest.mark.cluster, pytest.mark.database]

CORDON, UNCORDON, *_ = NODE_ACTIONS
DONE = Result.DONE
NODES = tuple(kind for kind in KINDS if kind.row is NodeRow)
SOON, LATER = timedelta(minutes=10), timedelta(hours=5)  # the second is after the lease of a cordon


class Crashed(BaseException):
    """The process dies here."""


class Failing:
    """The live cluster, whose patches end in an error, before or after they took place."""

    def __init__(self, live: Any, error: BaseException, *, after: bool) -> None:
        self._live = live
        self._error = error
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    async def patch(self, *args: Any, **how: Any) -> Any:
        if self._after:
            await self._live.patch(*args, **how)
        raise self._error


@dataclass
class Leases:
    """The part of a Store that leases and releases, for one run."""

    changes: Changes
    run_id: UUID

    async def lease(self, change: Change) -> UUID:
        return await self.changes.lease(change, run_id=self.run_id, epoch=None, now=SystemClock().now())

    async def release(self, change: UUID) -> None:
        await self.changes.release(change, epoch=None, now=SystemClock().now())


@dataclass
class Scene:
    """One node, the stored changes, and a sweeper that looks at both."""

    ground: Ground
    database: Database
    changes: Changes
    sweeper: Sweeper
    node: str

    async def sweep(self, after: timedelta = timedelta(), sweeper: Sweeper | None = None) -> Swept:
        """One look, some time from now."""
        snapshot = await scan_cluster(self.ground.place.api, kinds=NODES)
        now = SystemClock().now() + after
        return await (sweeper or self.sweeper).sweep(snapshot, epoch=None, now=now)

    async def doing(self) -> Doing:
        """A step of a run that has ended."""
        (run,) = await store_runs(self.database, a_stored_run(at=SystemClock().now()))
        doing = await self.ground.place.doing(CORDON, self.ground.ref(self.node), run_id=run)
        store: Any = Leases(self.changes, run)
        return replace(doing, store=store)

    async def cordon(self) -> tuple[Doing, Outcome]:
        doing = await self.doing()
        outcome = await CORDON.apply(doing)
        assert outcome.result is DONE
        return doing, outcome

    async def told(self) -> list[str]:
        """Events of the ledger about the node, the oldest first."""
        entries = await Ledger(self.database).search(Search(name=self.node))
        return [entry.event for entry in reversed(entries)]

    async def state(self, outcome: Outcome) -> ChangeState:
        found = await self.changes.get(UUID(outcome.inverse["change"]))
        assert found is not None
        return found.state

    def events(self) -> list[tuple[str, str]]:
        found = self.ground.place.cluster.api.items("/api/v1/namespaces/default/events")
        mine = [event for event in found if event["involvedObject"]["name"] == self.node]
        return [(event["type"], event["reason"]) for event in mine if event["reason"].startswith(("Change", "Cordon"))]


@pytest.fixture
def scene(ground: Ground, healing_database: Database) -> Scene:
    changes = Changes(healing_database)
    return Scene(ground, healing_database, changes, Sweeper(changes, ground.place.live), ground.nodes[0])


async def test_a_cordon_is_lifted_when_its_time_is_over(scene: Scene) -> None:
    _, outcome = await scene.cordon()
    assert await scene.sweep() == Swept()
    assert scene.ground.cordoned(scene.node)

    assert await scene.sweep(LATER) == Swept(returned=1)
    assert not scene.ground.cordoned(scene.node)
    assert CORDONED_BY not in scene.ground.annotations(scene.node)
    assert await scene.state(outcome) is ChangeState.RETURNED
    assert await scene.told() == ["change-leased", "change-returning", "change-returned"]
    assert scene.events() == [("Normal", "ChangeReturned")]
    assert await scene.sweep(LATER) == Swept()


async def test_a_cordon_is_lifted_early_when_its_cause_is_gone_for_long_enough(scene: Scene) -> None:
    scene.ground.condition(scene.node, "DiskPressure", "True")
    await scene.cordon()
    assert await scene.sweep(SOON) == Swept()
    scene.ground.condition(scene.node, "DiskPressure", "False")
    assert await scene.sweep() == Swept()
    assert await scene.sweep(SOON) == Swept(returned=1)
    assert not scene.ground.cordoned(scene.node)


async def test_what_somebody_edited_since_is_a_conflict_and_stays(scene: Scene) -> None:
    _, outcome = await scene.cordon()
    scene.ground.kubectl(scene.node, cordon=False)
    scene.ground.kubectl(scene.node, cordon=True)

    assert await scene.sweep(LATER) == Swept(conflicts=1)
    assert scene.ground.cordoned(scene.node)
    assert await scene.state(outcome) is ChangeState.CONFLICT
    (entry, *_) = await Ledger(scene.database).search(Search(event="change-conflict"))
    assert "kubectl-cordon" in entry.message
    assert scene.events() == [("Warning", "ChangeNotReturned")]
    assert (await scene.sweep(LATER)).conflicts == 0


async def test_what_a_person_uncordoned_keeps_its_marks_until_the_cordon_would_have_ended(scene: Scene) -> None:
    _, outcome = await scene.cordon()
    scene.ground.kubectl(scene.node, cordon=False)
    assert await scene.sweep(SOON) == Swept()
    assert CORDONED_BY in scene.ground.annotations(scene.node)
    assert await scene.sweep(LATER) == Swept(returned=1)
    assert await scene.state(outcome) is ChangeState.RETURNED
    assert CORDONED_BY not in scene.ground.annotations(scene.node)


async def test_what_a_run_uncordoned_is_over_at_once(scene: Scene) -> None:
    _, outcome = await scene.cordon()
    assert (await UNCORDON.apply(await scene.ground.place.doing(UNCORDON, scene.ground.ref(scene.node)))).result is DONE
    assert await scene.sweep() == Swept(returned=1)
    assert await scene.state(outcome) is ChangeState.RETURNED


async def test_a_change_of_what_is_gone_is_over(scene: Scene) -> None:
    _, outcome = await scene.cordon()
    scene.ground.place.cluster.api.delete(f"/api/v1/nodes/{scene.node}")
    assert await scene.sweep(LATER) == Swept(gone=1)
    assert await scene.state(outcome) is ChangeState.GONE


async def test_the_out_of_service_taint_and_the_word_that_it_is_off_go_when_the_node_is_back(scene: Scene) -> None:
    scene.ground.darken(scene.node)
    said = {"metadata": {"annotations": {FENCED: "power is off"}}}
    scene.ground.place.cluster.api.patch(f"/api/v1/nodes/{scene.node}", said)
    doing = await scene.doing()
    outcome = await taints.put_on(
        doing, doing.step.target, taints.OUT_OF_SERVICE, what="out of service", lease=timedelta(days=1)
    )
    assert await scene.sweep(SOON) == Swept()
    assert "node.kubernetes.io/out-of-service" in scene.ground.taints(scene.node)
    assert FENCED in scene.ground.annotations(scene.node)
    scene.ground.revive(scene.node)
    assert await scene.sweep() == Swept(returned=1)
    assert "node.kubernetes.io/out-of-service" not in scene.ground.taints(scene.node)
    assert FENCED not in scene.ground.annotations(scene.node)
    assert (await scene.told())[-1] == "fencing-withdrawn"
    assert await scene.state(outcome) is ChangeState.RETURNED


async def test_of_two_runs_that_cordon_a_node_the_last_lease_lifts_it(scene: Scene) -> None:
    _, first = await scene.cordon()
    again = await CORDON.apply(await scene.doing())
    until = SystemClock().now() + timedelta(hours=9)
    await scene.changes.extend(UUID(again.inverse["change"]), until, actor="ada", reason="", now=SystemClock().now())
    assert await scene.sweep(LATER) == Swept(returned=1)
    assert (await scene.state(first), scene.ground.cordoned(scene.node)) == (ChangeState.RETURNED, True)
    assert await scene.sweep(timedelta(hours=10)) == Swept(returned=1)
    assert not scene.ground.cordoned(scene.node)


async def test_the_node_says_until_when_it_is_cordoned_after_an_extension(scene: Scene) -> None:
    _, outcome = await scene.cordon()
    until = datetime.fromisoformat("2099-01-01T00:00:00+00:00")
    await scene.changes.extend(UUID(outcome.inverse["change"]), until, actor="ada", reason="", now=SystemClock().now())
    await scene.sweep(LATER)
    assert scene.ground.annotations(scene.node)[CORDON_UNTIL] == "2099-01-01T00:00:00+00:00"
    assert scene.ground.cordoned(scene.node)


async def test_an_orphaned_cordon_is_reported_once_and_lifted_when_its_cause_is_gone(scene: Scene) -> None:
    other = await scene.ground.grow()
    scene.ground.kubectl(other, cordon=True)
    scene.ground.condition(scene.node, "DiskPressure", "True")
    doing = await scene.ground.place.doing(CORDON, scene.ground.ref(scene.node))
    assert (await CORDON.apply(doing)).result is DONE  # what it stored is lost

    assert await scene.sweep() == Swept(orphans=1)
    assert await scene.sweep() == Swept(orphans=1)
    assert await scene.told() == ["cordon-orphaned"]
    assert scene.ground.cordoned(scene.node)

    scene.ground.condition(scene.node, "DiskPressure", "False")
    assert await scene.sweep(SOON) == Swept(orphans=1, lifted=1)
    assert await scene.told() == ["cordon-orphaned", "cordon-lifting", "cordon-lifted"]
    assert not scene.ground.cordoned(scene.node)
    assert scene.ground.cordoned(other)
    assert scene.events() == [("Normal", "CordonLifted")]


async def test_an_orphan_past_its_end_is_lifted_however_sick_the_node_is(scene: Scene) -> None:
    scene.ground.condition(scene.node, "DiskPressure", "True")
    assert (await CORDON.apply(await scene.ground.place.doing(CORDON, scene.ground.ref(scene.node)))).inverse
    assert await scene.sweep(LATER) == Swept(orphans=1, lifted=1)
    assert not scene.ground.cordoned(scene.node)


async def test_a_replica_that_leads_no_more_takes_nothing_back(scene: Scene) -> None:
    await scene.cordon()
    old = await claim_healing(scene.database)
    await claim_healing(scene.database)
    snapshot = await scan_cluster(scene.ground.place.api, kinds=NODES)
    with pytest.raises(Deposed):
        await scene.sweeper.sweep(snapshot, epoch=old, now=SystemClock().now() + LATER)
    assert scene.ground.cordoned(scene.node)


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_a_crash_while_a_change_is_taken_back_loses_nothing(scene: Scene, after: bool) -> None:
    _, outcome = await scene.cordon()
    dying: Any = Failing(scene.ground.place.live, Crashed(), after=after)
    with pytest.raises(Crashed):
        await scene.sweep(LATER, Sweeper(scene.changes, dying))
    assert await scene.state(outcome) is ChangeState.HELD
    assert await scene.sweep(LATER) == Swept(returned=1)
    assert not scene.ground.cordoned(scene.node)
    assert await scene.state(outcome) is ChangeState.RETURNED


async def test_what_could_not_be_taken_back_is_tried_again_at_the_next_look(scene: Scene) -> None:
    await scene.cordon()
    away: Any = Failing(scene.ground.place.live, Unavailable("the API server does not answer"), after=False)
    assert await scene.sweep(LATER, Sweeper(scene.changes, away)) == Swept(failed=1)
    assert scene.ground.cordoned(scene.node)
    assert await scene.sweep(LATER) == Swept(returned=1)
