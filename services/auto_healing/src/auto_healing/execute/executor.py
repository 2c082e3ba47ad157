"""From a stored run to its last stored word.

The order makes a crash at any line safe: what is about to be done is committed, then it is done, then what came of it
is committed. Whoever finds a step begun and not ended applies it again; actions do only what is still missing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import TypeVar
from uuid import UUID

from structlog.contextvars import bound_contextvars

from auto_healing.actions.action import Outcome
from auto_healing.execute.attempts import DATABASE_AWAY, pause, until_stored
from auto_healing.execute.before_step import BeforeStep
from auto_healing.execute.carried import INTERRUPTED, Carried, was_broken_off
from auto_healing.execute.endings import Endings
from auto_healing.execute.hands import Hands
from auto_healing.kube.cluster import NotActing
from auto_healing.plan import Decline
from auto_healing.run import SERVICE, Run, RunState, StepState
from auto_healing.storage.decisions import after, is_due, is_late
from auto_healing.storage.fence import Deposed
from auto_healing.storage.progress import SUCCESS, MoveRefused
from auto_healing.storage.run_rows import StoredStep
from auto_healing.storage.runs import Runs

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_SECONDS = 5.0


class Executor:
    """`leads()` is the epoch in which this replica may act; None when it may not."""

    def __init__(
        self, runs: Runs, before: BeforeStep, hands: Hands, endings: Endings, leads: Callable[[], int | None]
    ) -> None:
        self._runs = runs
        self._before = before
        self._hands = hands
        self._endings = endings
        self._progress = endings.progress
        self._leads = leads
        self._busy: set[UUID] = set()

    async def carry_out(self, run_id: UUID, epoch: int) -> None:
        """Do what is due for a run, wherever it was left, for as long as this epoch leads; called twice, do it once."""
        if run_id in self._busy:
            return
        self._busy.add(run_id)
        try:
            with bound_contextvars(run_id=str(run_id)):  # also for what the actions log
                await self._persevere(run_id, epoch)
        finally:
            self._busy.discard(run_id)
            self._hands.forget(run_id)

    def stop(self, run_id: UUID, why: str) -> None:
        """Somebody wants a run undone, or no run at all; if it is under way, its step is broken off."""
        if run_id in self._busy:
            self._hands.stop(run_id, why)

    async def _persevere(self, run_id: UUID, epoch: int) -> None:
        for tries in count():
            if self._leads() != epoch:
                break
            try:
                await self._advance(run_id, epoch)
                break
            except Deposed as error:
                logger.info("run %s is left to the next leader: %s", run_id, error)
                break
            except (NotActing, MoveRefused, *DATABASE_AWAY) as error:
                logger.log(logging.DEBUG if tries else logging.WARNING, "run %s waits: %s", run_id, error)
            await pause(tries)

    async def _advance(self, run_id: UUID, epoch: int) -> None:
        found = await self._runs.with_steps(run_id)
        if found is None or not is_due(found[0]):
            return
        run, steps = found
        self._runs.past.put(run)
        carried = Carried(run, steps, epoch)
        if run.undo_by:
            await self._undo(carried)
        elif run.state is RunState.APPROVED and is_late(run, self._before.clock.now()):
            await self._end(carried, RunState.EXPIRED, "it could not begin soon enough after it was approved")
        else:
            await self._go_through(carried)

    async def _go_through(self, carried: Carried) -> None:
        for step in list(carried.steps):
            if step.state is StepState.FAILED:
                await self._take_back(carried, (step.outcome or INTERRUPTED).message)
                return
            if step.state is not StepState.DONE and not await self._step(carried, step):
                return

    async def _step(self, carried: Carried, step: StoredStep) -> bool:
        """One step, from the last look before it to its stored outcome; False when the run is over by it."""
        if not self._goes_on(carried, step):
            if declined := await self._declines(carried, step):
                await self._stop_before(carried, step, declined)
                return False
            step = replace(step, state=StepState.PENDING)
        run = carried.run
        carried.keep(*await self._progress.start_step(run, step, self._after(run), epoch=carried.epoch))
        begun = carried.steps[step.number]
        self._endings.witness.step_started(run, carried.planned(begun))
        outcome = await self._hands.apply(carried, begun)
        await self._record(carried, begun, outcome)
        if carried.run.undo_by:
            await self._undo(carried)
            return False
        if was_broken_off(outcome):
            await self._stop_before(carried, step, [Decline(guard="paused", message=outcome.message)])
            return False
        if outcome.result not in SUCCESS:
            await self._take_back(carried, outcome.message)
            return False
        return True

    def _goes_on(self, carried: Carried, step: StoredStep) -> bool:
        """Whether it is the rest of a step that was let through and still has time: the yes to it holds as long."""
        begun = step.started_at if step.state is StepState.STARTED else None
        return begun is not None and self._before.clock.now() < begun + carried.planned(step).timeout

    async def _declines(self, carried: Carried, step: StoredStep) -> Sequence[Decline]:
        """Why it must not be done. Between steps, what only has to be waited for is waited for."""
        planned, run_id = carried.planned(step), carried.run.id
        give_up_at = self._before.clock.now() + planned.timeout
        while declined := await self._before.declines(carried.run, planned):
            if carried.untouched or self._hands.stopped(run_id) or not _passes(declined, give_up_at):
                return declined
            await asyncio.sleep(_LOOK_SECONDS)
            if self._leads() != carried.epoch:
                raise Deposed(carried.epoch)
        return ()

    async def _stop_before(self, carried: Carried, step: StoredStep, declined: Sequence[Decline]) -> None:
        run, at = carried.run, self._after(carried.run)
        if carried.untouched:
            self._endings.told(await self._progress.decline(run, declined, at, epoch=carried.epoch))
            return
        carried.run = await self._progress.refuse_step(run, step, declined, at, epoch=carried.epoch)
        await self._take_back(carried, declined[0].message)

    async def _record(self, carried: Carried, step: StoredStep, outcome: Outcome) -> None:
        run, planned, at = carried.run, carried.planned(step), self._after(carried.run)
        ended = await self._stored(
            carried, lambda: self._progress.end_step(run, step, outcome, at, epoch=carried.epoch)
        )
        carried.keep(*ended)
        self._endings.witness.step_ended(run, planned, outcome, (at - (step.started_at or at)).total_seconds())
        await self._hands.event(run, planned, outcome)

    async def _take_back(self, carried: Carried, reason: str) -> None:
        """It did not go well: undo what was done, the last first, or say that there is nothing to undo."""
        if not carried.undoable(self._hands.actions):
            await self._end(carried, RunState.DECLINED if carried.is_stopped else RunState.FAILED, reason)
            return
        if not carried.run.undo_by:
            at, run = self._after(carried.run), carried.run
            carried.run = await self._progress.want_undo(run, reason, at, epoch=carried.epoch, defer=False)
        await self._undo(carried)

    async def _undo(self, carried: Carried) -> None:
        for step in carried.undoable(self._hands.actions):
            at, run = self._after(carried.run), carried.run
            carried.run = await self._progress.start_undo(run, step, at, epoch=carried.epoch)
            outcome = await self._hands.undo(carried, step)
            await self._record_undo(carried, step, outcome)
        await self._undone(carried)

    async def _record_undo(self, carried: Carried, step: StoredStep, outcome: Outcome) -> None:
        run, at = carried.run, self._after(carried.run)
        ended = await self._stored(
            carried, lambda: self._progress.end_undo(run, step, outcome, at, epoch=carried.epoch)
        )
        carried.keep(*ended)
        await self._hands.event(run, carried.planned(step), outcome, undo=True)

    async def _undone(self, carried: Carried) -> None:
        """All is taken back that can be: what that makes of the run."""
        run = carried.run
        left = [step.action for step in carried.steps if step.state is StepState.UNDO_FAILED]
        undone = any(step.state is StepState.UNDONE for step in carried.steps)
        reason = run.undo_reason or "undone"
        stopped = carried.is_stopped and not left
        if undone and not left:
            given_up = stopped and run.undo_by == SERVICE
            await self._end(carried, RunState.DECLINED if given_up else RunState.UNDONE, reason)
            return
        reason += f"; could not be taken back: {', '.join(left)}" if left else "; there is nothing to take back"
        if run.state is RunState.RUNNING or (run.state is RunState.VERIFYING and (left or run.undo_by == SERVICE)):
            await self._end(carried, RunState.DECLINED if stopped else RunState.FAILED, reason)
        else:
            at = self._after(run)
            carried.run = await self._progress.keep_as_is(run, at, epoch=carried.epoch, reason=reason)

    async def _end(self, carried: Carried, state: RunState, reason: str) -> None:
        run, at = carried.run, self._after(carried.run)
        await self._stored(carried, lambda: self._endings.end(run, state, at, epoch=carried.epoch, reason=reason))

    async def _stored(self, carried: Carried, write: Callable[[], Awaitable[T]]) -> T:
        return await until_stored(write, leads=lambda: self._leads() == carried.epoch)

    def _after(self, run: Run) -> datetime:
        return after(run, self._before.clock.now())


def _passes(declined: Sequence[Decline], before: datetime) -> bool:
    """Whether every guard says when to look again, and all of that is soon enough."""
    return all(each.look_again_at is not None and each.look_again_at < before for each in declined)
