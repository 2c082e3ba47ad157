"""The loop that joins it all: what was told, whose fault it is, what is to be done about it, and storing that.

Runs while this replica leads. A fault is looked at when it changes, when a refusal names a time, and now and then.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from auto_healing.attribute import attribute
from auto_healing.decide import Placing, decide
from auto_healing.findings import KnownFinding, OpenFindings
from auto_healing.ladders import Ladders
from auto_healing.looks import Looks
from auto_healing.plan import Plan
from auto_healing.run import Run, RunState
from auto_healing.storage.fence import fenced
from auto_healing.storage.inbox import Inbox, settle
from auto_healing.storage.proposing import Answer, Proposal
from auto_healing.storage.run_reading import RunFilter
from auto_healing.storage.runs import Runs
from auto_healing.storage.shadows import Shadows
from auto_healing.world import World
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint
from common.monitor.client import Listing

logger = logging.getLogger(__name__)

BATCH = 2_000  # events taken into account at once: a storm is one attribution
RESOLVED_KEPT = timedelta(days=7)  # in memory, as in the database
POLL_SECONDS = 1.0  # for events that another replica took
_AGAIN_SECONDS = 1.0
_CLIMBED = 200  # of those that are looked through for how far up their ladders the faults are
JUDGED = frozenset({RunState.FAILED, RunState.UNDONE, RunState.HEALED})


class Observer(Protocol):
    """Counts what happens."""

    def decided(self, answers: Sequence[Answer], seconds: float) -> None: ...


class Herald(Protocol):
    """Tells of it on the objects themselves."""

    async def decided(self, answers: Sequence[Answer]) -> None: ...


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
        self._ladders = Ladders()
        self._look_now = True  # something has changed beside the findings
        self._looks = Looks(clock.now())
        self._complaint = Complaint(logger, clock)
        self.storm_at: datetime | None = None  # when a storm was last told

    def listed(self, listing: Listing) -> None:
        """The full list of what is open. Where it says nothing new, there is nothing to look at."""
        self._listing = listing
        self._inbox.arrived.set()

    def look_again(self) -> None:
        """At everything: the policy, a pause or the like has changed."""
        self._looks.clear()
        self._wake()

    def climb(self, run: Run) -> None:
        """The run did not help: the next rung of its ladder is to be tried, and after the last a human is called."""
        self._ladders.climb(run, self._world().policy, self._clock.now())
        self._looks.forget(run.plan.fault.key)
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
        self._look_now = True
        judged = await self._runs.search(RunFilter(states=JUDGED), limit=_CLIMBED)
        self._ladders.load(judged[::-1], self._world().policy, self._clock.now())

    async def _wait(self) -> None:
        """Until something arrives, a look is due, or another replica may have taken something."""
        now = self._clock.now()
        seconds = max(0.0, min((self._next_look(now) - now).total_seconds(), POLL_SECONDS))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._inbox.arrived.wait()

    def _next_look(self, now: datetime) -> datetime:
        return self._looks.next_at(now, troubled=len(self._findings) > 0)

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
        started = self._clock.monotonic()
        world = self._world()
        faults = attribute(self._findings.all(), world.snapshot, world.policy.attribution)
        due = self._looks.due(faults, world, self._runs.past.unfinished())
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
                self._looks.answered(plan, world.now)
            self._look_now = False
            self._observer.decided(answers, self._clock.monotonic() - started)
            await self._shadows.record(plans, world.now, epoch=epoch)
            await self._herald.decided(answers)
        await self._shadows.settle(faults, world.now, world.policy.promotion, epoch=epoch)

    def _proposal(self, plan: Plan, world: World) -> Proposal:
        return Proposal(
            plan=plan,
            previous=self._ladders.previous(plan.fault, world.snapshot),
            score_before=self._findings.score_of(plan.target.key),
        )
