"""Applies steps, takes them back, and tells of it on the object itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from auto_healing.actions.action import Action, Doing, Outcome, Result, Store
from auto_healing.execute.attempts import attempt
from auto_healing.execute.carried import INTERRUPTED, Carried, broken_off
from auto_healing.kube.cluster import Cluster, NotActing
from auto_healing.plan import Step
from auto_healing.run import Run
from auto_healing.storage.progress import SUCCESS
from auto_healing.storage.run_entries import POLICY
from auto_healing.storage.run_rows import StoredStep
from common.clock import Clock
from common.cluster.snapshot import ClusterSnapshot
from common.kube.errors import KubeError

_UNDO_TIMEOUT = timedelta(minutes=5)


@dataclass(slots=True, kw_only=True)
class Hands:
    """`store_of(run id, epoch)` is what an action keeps its evidence, manifests and temporary changes in."""

    cluster: Cluster
    snapshot: Callable[[], ClusterSnapshot]
    actions: Mapping[str, Action]
    store_of: Callable[[UUID, int], Store]
    clock: Clock
    _applying: dict[UUID, asyncio.Task[Outcome]] = field(default_factory=dict)
    _stopped: dict[UUID, str] = field(default_factory=dict)

    def stop(self, run_id: UUID, why: str) -> None:
        """Break off the step that is being applied, and whatever would be applied next, but for undoing."""
        if run_id not in self._stopped:
            self._stopped[run_id] = why
            if (applying := self._applying.get(run_id)) is not None:
                applying.cancel()

    def stopped(self, run_id: UUID) -> str:
        """Why it was stopped; empty when it was not."""
        return self._stopped.get(run_id, "")

    def forget(self, run_id: UUID) -> None:
        """The run is not carried out any more."""
        self._stopped.pop(run_id, None)

    async def apply(self, carried: Carried, step: StoredStep) -> Outcome:
        """Raises NotActing and Deposed; all else is an outcome."""
        planned = carried.planned(step)
        action = self.actions.get(planned.action)
        if action is None:
            return Outcome(result=Result.FAILED, message=f"there is no action {planned.action} in this version")
        doing = self._doing(carried, step, (step.started_at or self.clock.now()) + planned.timeout)
        return await self._stoppable(carried.run.id, lambda: action.apply(doing), doing.deadline)

    async def undo(self, carried: Carried, step: StoredStep) -> Outcome:
        """Raises NotActing and Deposed; all else is an outcome. Nobody can stop it."""
        action = self.actions[carried.planned(step).action]
        doing = self._doing(carried, step, self.clock.now() + _UNDO_TIMEOUT)
        done = step.outcome or INTERRUPTED
        return await attempt(lambda: action.undo(doing, done), clock=self.clock, deadline=doing.deadline)

    async def _stoppable(self, run_id: UUID, act: Callable[[], Awaitable[Outcome]], deadline: datetime) -> Outcome:
        if why := self.stopped(run_id):
            return broken_off(why)
        acting = asyncio.create_task(attempt(act, clock=self.clock, deadline=deadline), name=f"run {run_id}")
        self._applying[run_id] = acting
        try:
            return await acting
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if this is not None and this.cancelling():  # the whole service stops
                raise
            return broken_off(self.stopped(run_id))
        finally:
            del self._applying[run_id]

    async def event(self, run: Run, step: Step, outcome: Outcome, *, undo: bool = False) -> None:
        """Tell it where `kubectl describe` shows it. What cannot be told there is in the ledger."""
        succeeded = outcome.result in SUCCESS
        reason = ("Undone" if undo else "Healing") if succeeded else ("UndoFailed" if undo else "HealingFailed")
        message = f"{step.action}: {outcome.message} (run {run.id}, because {step.reason})"
        with suppress(KubeError, NotActing, ValueError):
            await self.cluster.event(step.target, reason=reason, message=message, warning=not succeeded)

    def _doing(self, carried: Carried, step: StoredStep, deadline: datetime) -> Doing:
        run = carried.run
        return Doing(
            run_id=run.id,
            number=step.number,
            step=carried.planned(step),
            cluster=self.cluster,
            snapshot=self.snapshot(),
            store=self.store_of(run.id, carried.epoch),
            clock=self.clock,
            deadline=deadline,
            approved=bool(run.approved_by) or run.requested_by != POLICY,
        )
