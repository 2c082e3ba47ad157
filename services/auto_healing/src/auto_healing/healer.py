"""The loop that joins it all: what was told, whose fault it is, what is to be done about it, and storing that.

Runs while this replica leads. A fault is looked at when it changes, when a refusal names a time, and now and then.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from auto_healing.attribute import attribute
from auto_healing.decide import FaultKey, Placing, decide
from auto_healing.fault import Fault, FaultLevel
from auto_healing.findings import KnownFinding, OpenFindings
from auto_healing.intake.monitor import Listing
from auto_healing.ladders import Ladders
from auto_healing.plan import Mode, Plan
from auto_healing.run import Run, RunState
from auto_healing.storage.fence import fenced
from auto_healing.storage.inbox import Inbox, settle
from auto_healing.storage.proposing import Answer, Proposal
from auto_healing.storage.run_reading import RunFilter
from auto_healing.storage.runs import Runs
from auto_healing.storage.shadows import Shadows
from auto_healing.world import World
from common.clock import Clock
from common.contracts import ObjectKey
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

BATCH = 2_000  # events taken into account at once: a storm is one attribution
LOOK_EVERY = timedelta(seconds=30)  # at a fault that nothing was done about, for what no refusal could tell
RESOLVED_KEPT = timedelta(days=7)  # in memory, as in the database
POLL_SECONDS = 1.0  # for events that another replica took
_AGAIN_SECONDS = 1.0
_CLIMBED = 200  # failed runs that are looked through for how far up their ladders the faults are
_DID_NOT_HELP = frozenset({RunState.FAILED, RunState.UNDONE})


class Observer(Protocol):
    """Counts what happens."""

    def decided(self, answers: Sequence[Answer], seconds: float) -> None: ...


class Herald(Protocol):
    """Tells of it on the objects themselves."""

    async def decided(self, answers: Sequence[Answer]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Look:
    """What a fault was when it was last looked at, and when that is worth doing again."""

    seen: frozenset[object]
    again_at: datetime


class Healer:
    """`world` gives the instant that is decided about, `placements` a fresh account of the nodes' room."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        inbox: Inbox,
        runs: Runs,
        shadows: Shadows,
        findings: OpenFindings,
        world: Callable[[], World],
        placements: Callable[[World], Placing],
        observer: Observer,
        herald: Herald,
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._runs = runs
        self._shadows = shadows
        self._findings = findings
        self._clock = clock
        self._world = world
        self._placements = placements
        self._observer = observer
        self._herald = herald
        self._listing: Listing | None = None
        self._unsettled: list[KnownFinding] = []
        self._looks: dict[FaultKey, _Look] = {}
        self._ladders = Ladders()
        self._look_now = True  # something has changed beside the findings
        self._looked_at = clock.now()
        self._complaint = Complaint(logger, clock)
        self.storm_at: datetime | None = None  # when a storm was last told

    def listed(self, listing: Listing) -> None:
        """The full list of what is open; taken into account with the next look."""
        self._listing = listing
        self._wake()

    def look_again(self) -> None:
        """At everything: the policy, a pause or the like has changed."""
        self._looks.clear()
        self._wake()

    def climb(self, run: Run) -> None:
        """The run did not help: the next rung of its ladder is to be tried, and after the last a human is called."""
        self._ladders.climb(run, self._world().policy, self._clock.now())
        self._looks.pop(run.plan.fault.key, None)
        self._wake()

    def ended(self, run: Run) -> None:
        """Whatever came of it, what was left to it is looked at now."""
        if run.state is RunState.HEALED:
            self._ladders.healed(run)
        self._wake()

    def _wake(self) -> None:
        self._look_now = True
        self._inbox.arrived.set()

    async def run(self, epoch: int) -> None:
        """Until cancelled. A database that is away is waited for: without it nothing is decided."""
        started = False
        while True:
            try:
                if not started:
                    await self._start()
                    started = True
                await self._step(epoch)
            except DatabaseError as error:
                self._complaint.warn(f"nothing is decided without the database: {error}")
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            self._complaint.over()
            await self._wait()

    async def _start(self) -> None:
        """Know what the last leader knew."""
        self._findings.load(await self._inbox.known_findings())
        self._looks.clear()
        self._ladders.clear()
        judged = RunFilter(states=frozenset({*_DID_NOT_HELP, RunState.HEALED}))
        for run in reversed(await self._runs.search(judged, limit=_CLIMBED)):  # the last word counts
            if run.state is RunState.HEALED:
                self._ladders.healed(run)
            else:
                self.climb(run)

    async def _wait(self) -> None:
        """Until something arrives, a look is due, or another replica may have taken something."""
        now = self._clock.now()
        seconds = max(0.0, min((self._next_look(now) - now).total_seconds(), POLL_SECONDS))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._inbox.arrived.wait()

    def _next_look(self, now: datetime) -> datetime:
        """Whose fault something is may change with the cluster alone: while anything is wrong it is asked anew."""
        usual = self._looked_at + LOOK_EVERY if len(self._findings) else now + LOOK_EVERY
        return min((usual, *(look.again_at for look in self._looks.values())))

    async def _step(self, epoch: int) -> None:
        self._inbox.arrived.clear()
        events = await self._inbox.waiting(BATCH)
        now = self._clock.now()
        for event in events:
            if event.data.storm:
                self.storm_at = now
            if known := self._findings.apply(event):
                self._unsettled.append(known)
        if self._listing is not None and len(events) < BATCH:
            listing, self._listing = self._listing, None
            self._unsettled += self._findings.reconcile(listing.findings, head=listing.head, now=now)
            self._findings.forget_resolved_before(now - RESOLVED_KEPT)
        if events or self._unsettled or self._look_now or self._next_look(now) <= now:
            await self._decide(epoch)
        if events or self._unsettled:
            async with fenced(self._database, epoch) as connection:
                await settle(connection, events, self._unsettled, now)
            self._unsettled.clear()
        if len(events) == BATCH:
            self._inbox.arrived.set()

    async def _decide(self, epoch: int) -> None:
        self._look_now = False
        self._looked_at = self._clock.now()
        started = self._clock.monotonic()
        world = self._world()
        faults = attribute(self._findings.all(), world.snapshot, world.policy.attribution)
        due = self._due(faults, world)
        if due:
            plans = decide(
                due,
                world,
                rungs=self._ladders.rungs(faults, world.snapshot, world.now),
                placements=self._placements(world),
            )
            self._look_now = True  # until it is stored
            proposals = [self._proposal(plan, world) for plan in plans]
            answers = await self._runs.propose(proposals, epoch=epoch)
            for plan in plans:
                self._looks[plan.fault.key] = _Look(_signature(plan.fault), _again_at(plan, world.now))
            self._look_now = False
            self._observer.decided(answers, self._clock.monotonic() - started)
            await self._shadows.record(plans, world.now, epoch=epoch)
            await self._herald.decided(answers)
        await self._shadows.settle(faults, world.now, world.policy.promotion, epoch=epoch)

    def _due(self, faults: Sequence[Fault], world: World) -> list[Fault]:
        """What changed or has its time. What a run is at work on is left to it, with all that belongs to its owner:
        while a rollout is taken back, its pods come and go. Forgets faults that are gone."""
        there = {fault.key for fault in faults}
        self._looks = {key: look for key, look in self._looks.items() if key in there}
        at_work = {key for run in self._runs.past.unfinished() for key in (run.plan.target.key, run.place.owner)}
        return [
            fault
            for fault in faults
            if self._is_due(fault, world.now) and _is_there(fault, world) and not at_work & _places_of(fault, world)
        ]

    def _is_due(self, fault: Fault, now: datetime) -> bool:
        look = self._looks.get(fault.key)
        return look is None or look.again_at <= now or look.seen != _signature(fault)

    def _proposal(self, plan: Plan, world: World) -> Proposal:
        return Proposal(
            plan=plan,
            previous=self._ladders.previous(plan.fault, world.snapshot),
            score_before=self._findings.score_of(plan.target.key),
        )


def _is_there(fault: Fault, world: World) -> bool:
    """A pod that is gone, or going within its grace, needs nothing any more; health_monitor is about to say so."""
    if fault.level is not FaultLevel.POD:
        return True
    row = world.snapshot.find(fault.subject)
    return row is not None and (row.deleted_at is None or row.deleted_at <= world.now)


def _places_of(fault: Fault, world: World) -> set[ObjectKey]:
    row = world.snapshot.find(fault.subject)
    return {fault.subject} if row is None else {fault.subject, world.snapshot.top_owner(row)}


def _signature(fault: Fault) -> frozenset[object]:
    return frozenset((finding.key, finding.object.uid, finding.severity) for finding in fault.findings)


def _again_at(plan: Plan, now: datetime) -> datetime:
    """The earliest time that a refusal names; else now and then, since what it waits for may come unannounced."""
    named = [decline.look_again_at for decline in plan.declined if decline.look_again_at is not None]
    usual = now + (LOOK_EVERY if plan.mode is not Mode.OBSERVE else 10 * LOOK_EVERY)
    return max(min([*named, usual]), now + timedelta(milliseconds=100))
