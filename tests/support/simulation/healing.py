"""The product's decisions over a simulated cluster: its pure code in its own order, with its shell left out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from tests.support.simulation.replica import Replica

from auto_healing.attribute import attribute
from auto_healing.decide import Decider
from auto_healing.fault import Fault
from auto_healing.place import place_of
from auto_healing.placement import Placements
from auto_healing.plan import Plan
from auto_healing.storage.proposing import Proposal, answer_to, taken
from auto_healing.world import World
from common.cluster.store import Store
from common.contracts import Finding


class Healing(Replica):
    """Looks at faults when they change, and when their time has come."""

    _asked: tuple[Sequence[Finding], Store, int] | None = None
    _faults: Sequence[Fault] = ()

    def look(self) -> None:
        """At every fault whose time has come."""
        if self.dead_until is not None or self.now < self.next_look:
            return
        self.wake_at = None
        world = self.world()
        faults = self._attributed()
        due = self.looks.due(faults, world, self.past.unfinished())
        if due:
            placements = Placements(world.snapshot, self.now)
            for plan in Decider(world, placements, guards=self.guards).decide(
                due, self.ladders.rungs(faults, world.snapshot, self.now)
            ):
                self._propose(plan, world)
                self.looks.answered(plan, self.now)

    def _attributed(self) -> Sequence[Fault]:
        """Asked again and again in a cluster in which nothing happens, the answer stays the same."""
        asked = (self.findings, self.view, self.cluster.written)
        if asked != self._asked:
            self._asked = asked
            self._faults = attribute(self.findings, self.view, self.policy.attribution)
        return self._faults

    def _propose(self, plan: Plan, world: World) -> None:
        place = place_of(plan, world.snapshot)
        previous = self.ladders.previous(plan.fault, world.snapshot)
        answer = answer_to(Proposal(plan=plan, previous=previous), place, self.now, timedelta(hours=1))
        holder = self.past.holder_of(plan.target.key)
        if answer.run is not None and holder is not None:
            answer = taken(answer, holder.id, self.now)
        self.invariants.decided(plan, answer.declined)
        if answer.run is not None and not answer.declined:
            run = self._store(replace(answer.run, id=UUID(int=self.random.getrandbits(128))))
            if not run.state.ended:
                self.invariants.allowed(run, world)
                self._carry_on(run.id)

    def forget(self, before: datetime) -> None:
        """Runs that ended long ago."""
        for run in [run for run in self.runs.values() if run.ended_at is not None and run.ended_at < before]:
            for known in (self.runs, self.outcomes, self.blind_for):
                known.pop(run.id, None)  # type: ignore[attr-defined]
