"""What a leader does: hear, decide, carry out, watch, take back, tidy up. Each duty is kept running while it leads."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from auto_healing import guards
from auto_healing.actions import ACTIONS_BY_CODE
from auto_healing.actions.action import Outcome
from auto_healing.cleanup.cleaner import Cleaner
from auto_healing.drafting import displacements
from auto_healing.execute import BeforeStep, Endings, Executor, Hands
from auto_healing.guards.paused import stops
from auto_healing.healer import Healer
from auto_healing.herald import Herald
from auto_healing.history import History
from auto_healing.kube.cluster import NotActing
from auto_healing.kube.live import LiveCluster
from auto_healing.notifier import Notifier
from auto_healing.placement.placements import Placements
from auto_healing.plan import Decline, Step
from auto_healing.return_changes import Sweeper
from auto_healing.run import Run
from auto_healing.settings import HealingSettings
from auto_healing.storage.fence import Deposed
from auto_healing.storage.opening import Opened, store_of
from auto_healing.storage.retention import Kept, Retention
from auto_healing.storage.run_entries import POLICY
from auto_healing.told import Told
from auto_healing.view import View
from auto_healing.watch_runs import RunWatch
from auto_healing.worker import Worker
from auto_healing.world import World
from common.clock import Clock
from common.database.errors import DatabaseError
from common.logs import Complaint
from common.monitor.catch_up import CatchUp
from common.monitor.client import MonitorClient
from common.web.access import Access

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0

Work = Callable[[], Awaitable[None]]
Keep = Callable[[str, Work], Coroutine[Any, Any, None]]


class Duties:
    """Made once the database is open. `epoch()` is that of this replica while it leads, else None."""

    def __init__(
        self,
        opened: Opened,
        view: View,
        cluster: LiveCluster,
        clock: Clock,
        *,
        settings: HealingSettings,
        monitor: MonitorClient,
        rights: Access,
        told: Told,
        notifier: Notifier | None,
        epoch: Callable[[], int | None],
    ) -> None:
        self._view = view
        self._clock = clock
        self._epoch = epoch
        stored = opened.stored
        self.healer = Healer(
            stored.database,
            clock,
            inbox=stored.inbox,
            runs=stored.runs,
            shadows=stored.shadows,
            findings=view.findings,
            world=view.world,
            placements=_placements,
            observer=told,
            herald=Herald(cluster),
        )
        self.catch_up = CatchUp(
            monitor,
            stored.inbox,
            clock,
            on_listing=self.healer.listed,
            on_set_back=view.findings.set_back,
        )
        endings = Endings(
            progress=opened.progress,
            score_of=view.findings.score_of,
            on_failed=self.healer.climb,
            witness=_Witness(told, self.healer),
        )
        executor = Executor(
            stored.runs,
            BeforeStep(
                cluster=cluster,
                snapshot=lambda: view.snapshot,
                actions=ACTIONS_BY_CODE,
                recheck=self._recheck,
                still_has=rights.still_has,
                past=opened.past,
                clock=clock,
            ),
            Hands(
                cluster=cluster,
                snapshot=lambda: view.snapshot,
                actions=ACTIONS_BY_CODE,
                store_of=partial(store_of, stored, clock),
                clock=clock,
            ),
            endings,
            epoch,
        )
        watch = RunWatch(
            stored.runs,
            executor,
            endings,
            snapshot=lambda: view.snapshot,
            findings=view.findings.all,
            is_paused=lambda run: stops(run.plan.steps, view.pauses(), clock.now()),
            clock=clock,
        )
        self._worker = Worker(opened.jobs, stored.runs, executor, watch, epoch)
        self._sweeper = Sweeper(stored.changes, cluster)
        self._cleaner = Cleaner(
            tombstones=stored.tombstones,
            runs=stored.runs,
            cluster=cluster,
            world=view.world,
            clock=clock,
            observer=told,
        )
        self._notifier = notifier
        keep_ledger = settings.runs.keep_ledger_days
        kept = Kept(
            runs=timedelta(days=settings.runs.keep_days),
            ledger=timedelta(days=keep_ledger) if keep_ledger else None,
            archive=settings.runs.ledger_archive,
        )
        self._retention = Retention(stored.database, clock, kept, epoch=epoch)

    def all(self, keep: Keep) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        """For the leadership, each kept running by `keep`."""
        works: dict[str, Work] = {
            "worker": self._worker.run,
            "healer": partial(self._led, self.healer.run),
            "cleaner": partial(self._led, self._cleaner.run),
            "catch-up": self.catch_up.run,
            "sweeper": self._sweep,
            "retention": self._retention.run,
        }
        if self._notifier is not None:
            works["notifier"] = partial(self._led, self._notifier.run)
        return [partial(keep, name, work) for name, work in works.items()]

    async def _led(self, work: Callable[[int], Awaitable[None]]) -> None:
        """Work that needs the epoch; it is over when another replica leads."""
        epoch = self._epoch()
        if epoch is not None:
            with suppress(Deposed):
                await work(epoch)

    async def _sweep(self) -> None:
        complaint = Complaint(logger, self._clock)
        while (epoch := self._epoch()) is not None:
            try:
                await self._sweeper.sweep(self._view.snapshot, epoch=epoch, now=self._clock.now())
                complaint.over()
            except (NotActing, Deposed, DatabaseError) as error:
                complaint.warn(f"temporary changes are looked at again in a moment: {error}")
            await asyncio.sleep(SWEEP_SECONDS)

    def _recheck(self, run: Run, step: Step, history: History) -> Sequence[Decline]:
        """The guards, with facts and destinations of now."""
        world = self._view.world(history)
        step = replace(step, displaces=displacements(step, _placements(world), world))
        return guards.run(step, world.facts(run.plan, by_hand=run.requested_by != POLICY))


@dataclass(frozen=True, slots=True)
class _Witness:
    """Counts, and lets the healer look at what was left to a run."""

    told: Told
    healer: Healer

    def step_started(self, run: Run, step: Step) -> None:
        self.told.step_started(run, step)

    def step_ended(self, run: Run, step: Step, outcome: Outcome, seconds: float) -> None:
        self.told.step_ended(run, step, outcome, seconds)

    def run_ended(self, run: Run) -> None:
        self.told.run_ended(run)
        self.healer.ended(run)


def _placements(world: World) -> Placements:
    return Placements(world.snapshot, world.now)
