"""While this replica leads: judges the runs that are done, ends what nobody approved, notices what comes back."""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from uuid import UUID

from auto_healing.execute import Endings, Executor
from auto_healing.execute.attempts import DATABASE_AWAY
from auto_healing.reach import is_of_owner
from auto_healing.run import Run, RunState
from auto_healing.storage.decisions import after, is_late
from auto_healing.storage.fence import Deposed
from auto_healing.storage.progress import MoveRefused
from auto_healing.storage.runs import Runs
from auto_healing.verify import Ruling, judge, observe, seconds_to_heal
from common.clock import Clock
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding
from common.logs import Complaint

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_RECURS_WITHIN = timedelta(days=1)


class RunWatch:
    """Looks once a second. `findings()` are all that are open."""

    def __init__(
        self,
        runs: Runs,
        executor: Executor,
        endings: Endings,
        *,
        snapshot: Callable[[], ClusterSnapshot],
        findings: Callable[[], Collection[Finding]],
        is_paused: Callable[[Run], bool],
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._executor = executor
        self._endings = endings
        self._snapshot = snapshot
        self._findings = findings
        self._is_paused = is_paused
        self._clock = clock
        self._complaint = Complaint(logger, clock)
        self._blind: dict[UUID, timedelta] = {}
        self._watched: dict[UUID, datetime] = {}  # until when by now
        self._looked_at: float | None = None
        self._known: frozenset[tuple[object, datetime]] = frozenset()

    async def run(self, epoch: int) -> None:
        """Until cancelled, or until another replica leads."""
        while True:
            try:
                await self.look(epoch)
                self._complaint.over()
            except Deposed:
                return
            except MoveRefused as error:  # it was moved meanwhile, which the next look sees
                logger.info("the runs are looked at again: %s", error)
            except DATABASE_AWAY as error:
                self._complaint.warn(f"no run is judged until the database is back: {error}")
            except Exception:
                logger.exception("looking at the runs failed")
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self, epoch: int) -> None:
        """Once. Raises Deposed and DatabaseError."""
        unfinished = await self._runs.refresh()
        now, passed = self._clock.now(), self._passed()
        if any(run.state is RunState.AWAITING_APPROVAL and is_late(run, now) for run in unfinished):
            for run in await self._runs.expire(epoch=epoch):
                self._endings.told(run)
        for run in unfinished:
            if run.undo_by:
                self._executor.stop(run.id, f"{run.undo_by} wants it undone")
            elif run.state is RunState.RUNNING and self._is_paused(run):
                self._executor.stop(run.id, "healing was paused while it was under way")
            elif run.state is RunState.VERIFYING:
                await self._judge(run, self._watching(run, now, passed), passed, epoch)
        self._blind = {run.id: self._blind[run.id] for run in unfinished if run.id in self._blind}
        self._watched = {run.id: self._watched[run.id] for run in unfinished if run.id in self._watched}
        await self._notice_recurrences(epoch)
        self._runs.past.prune(now)

    def _passed(self) -> timedelta:
        """Since the last look, by the stopwatch."""
        before, self._looked_at = self._looked_at, self._clock.monotonic()
        return timedelta(seconds=0 if before is None else self._looked_at - before)

    def _watching(self, run: Run, now: datetime, passed: timedelta) -> datetime:
        """What time it is for a run that is watched. From its first look on that goes by the stopwatch, so that a clock
        which is set makes its window neither longer nor shorter."""
        before = self._watched.get(run.id)
        self._watched[run.id] = max(now, run.verifying_at or now) if before is None else before + passed
        return self._watched[run.id]

    async def _judge(self, run: Run, now: datetime, passed: timedelta, epoch: int) -> None:
        observation = observe(run, self._snapshot(), self._findings(), now)
        if observation.blind:
            self._blind[run.id] = self._blind.get(run.id, timedelta(0)) + passed
        verdict = judge(run, observation, now, self._blind.get(run.id, timedelta(0)))
        at = after(run, now)
        if verdict.ruling is Ruling.HEALED:
            seconds = seconds_to_heal(run, observation, now)
            await self._endings.end(
                run, RunState.HEALED, at, epoch=epoch, reason=verdict.reason, seconds_to_heal=seconds
            )
        elif verdict.ruling is Ruling.FAILED:
            # What can be taken back of it is the executor's to know, under the lock of the target.
            await self._endings.progress.want_undo(run, verdict.reason, at, epoch=epoch, defer=True)

    async def _notice_recurrences(self, epoch: int) -> None:
        """The same finding on the same owner, within a day of being healed. Each finding is looked at once."""
        known = frozenset((finding.key, finding.since) for finding in self._findings())
        fresh = [each for each in self._findings() if (each.key, each.since) not in self._known]
        for run in self._runs.past.healed() if fresh else ():
            for finding in fresh:
                if run.recurred_at is None and self._recurs(run, finding):
                    await self._runs.mark_recurred(run.id, f"{finding.object.key}: {finding.message}", epoch=epoch)
                    break
        self._known = known

    def _recurs(self, run: Run, finding: Finding) -> bool:
        if run.ended_at is None or not run.ended_at < finding.since <= run.ended_at + _RECURS_WITHIN:
            return False
        same = any(each.code == finding.code for each in run.plan.fault.findings)
        return same and is_of_owner(run, finding.object.key, self._snapshot())
