"""The product's decisions over a simulated cluster: its pure code in its own order, with its shell left out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from tests.support.simulation.replica import Answered, Replica

from auto_healing.attribute import attribute
from auto_healing.decide import Decider
from auto_healing.fault import Fault, FaultLevel
from auto_healing.place import place_of
from auto_healing.placement import Placements
from auto_healing.plan import Plan
from auto_healing.storage.proposing import Proposal, answer_to, taken
from auto_healing.world import World
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey

LOOK_SECONDS = 300.0  # at what names no time
SOON_SECONDS = 15.0  # between two looks at the same fault at least


class Healing(Replica):
    """Looks at faults when they change, and when their time has come."""

    def look(self) -> None:
        """At every fault whose time has come."""
        if self.dead_until is not None or self.now < self.next_look:
            return
        world = self.world()
        faults = attribute(self.findings, world.snapshot, self.policy.attribution)
        due = self._due(faults, world)
        if due:
            placements = Placements(world.snapshot, self.now)
            for plan in Decider(world, placements, guards=self.guards).decide(
                due, self.ladders.rungs(faults, world.snapshot, self.now)
            ):
                self._propose(plan, world)
        self.next_look = min((each.again_at for each in self.answers.values()), default=self.now + timedelta(hours=1))
        self.next_look = max(self.next_look, self.now + timedelta(seconds=1))

    def _due(self, faults: Sequence[Fault], world: World) -> list[Fault]:
        there = {fault.key for fault in faults}
        self.answers = {key: answered for key, answered in self.answers.items() if key in there}
        at_work = self.at_work()
        return [
            fault
            for fault in faults
            if self._is_due(fault) and is_there(fault, world) and not at_work & places_of(fault, world.snapshot)
        ]

    def at_work(self) -> set[ObjectKey]:
        return {key for run in self.past.unfinished() for key in (run.plan.target.key, run.place.owner)}

    def is_due(self, fault: Fault, world: World) -> bool:
        """Whether it would be looked at, were nobody at work on it."""
        return is_there(fault, world)

    def _is_due(self, fault: Fault) -> bool:
        known = self.answers.get(fault.key)
        return known is None or known.again_at <= self.now or known.seen != signature(fault)

    def _propose(self, plan: Plan, world: World) -> None:
        place = place_of(plan, world.snapshot)
        previous = self.ladders.previous(plan.fault, world.snapshot)
        answer = answer_to(Proposal(plan=plan, previous=previous), place, self.now, timedelta(hours=1))
        holder = self.past.holder_of(plan.target.key)
        if answer.run is not None and holder is not None:
            answer = taken(answer, holder.id, self.now)
        declined = answer.declined
        named = [each.look_again_at for each in declined if each.look_again_at is not None]
        again = max(min([*named, self._later(LOOK_SECONDS)]), self._later(SOON_SECONDS))
        self.answers[plan.fault.key] = Answered(plan, signature(plan.fault), again)
        self.invariants.decided(plan, declined)
        if answer.run is not None and not declined:
            run = self._store(replace(answer.run, id=UUID(int=self.random.getrandbits(128))))
            if not run.state.ended:
                self.invariants.allowed(run, world)
                self._carry_on(run.id)

    def forget(self, before: datetime) -> None:
        """Runs that ended long ago."""
        for run in [run for run in self.runs.values() if run.ended_at is not None and run.ended_at < before]:
            for known in (self.runs, self.outcomes, self.blind_for):
                known.pop(run.id, None)  # type: ignore[attr-defined]


def is_there(fault: Fault, world: World) -> bool:
    """A pod that is gone, or going, needs nothing any more."""
    if fault.level is not FaultLevel.POD:
        return True
    row = world.snapshot.find(fault.subject)
    return row is not None and (row.deleted_at is None or row.deleted_at <= world.now)


def places_of(fault: Fault, snapshot: ClusterSnapshot) -> set[ObjectKey]:
    row = snapshot.find(fault.subject)
    return {fault.subject} if row is None else {fault.subject, snapshot.top_owner(row)}


def signature(fault: Fault) -> frozenset[object]:
    return frozenset((finding.key, finding.object.uid, finding.severity) for finding in fault.findings)
