"""How runs end: stored, counted, and told to whoever chooses the next rung."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from auto_healing.actions.action import Outcome
from auto_healing.plan import Step
from auto_healing.run import Run, RunState
from auto_healing.storage.progress import Progress
from common.contracts import ObjectKey


class Witness(Protocol):
    """Who counts what happened, for metrics."""

    def step_started(self, run: Run, step: Step) -> None: ...

    def step_ended(self, run: Run, step: Step, outcome: Outcome, seconds: float) -> None: ...

    def run_ended(self, run: Run) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """`on_failed(run)` hears of every run that did not help; not of one that a person stopped or took back."""

    progress: Progress
    score_of: Callable[[ObjectKey], float | None]
    on_failed: Callable[[Run], None]
    witness: Witness

    async def end(
        self,
        run: Run,
        state: RunState,
        at: datetime,
        *,
        epoch: int,
        reason: str,
        seconds_to_heal: float | None = None,
    ) -> Run:
        """Raises what `Progress` raises."""
        ended = replace(
            run,
            state=state,
            updated_at=at,
            ended_at=run.ended_at or at,
            score_after=self.score_of(run.plan.target.key),
            seconds_to_heal=run.seconds_to_heal if seconds_to_heal is None else seconds_to_heal,
        )
        stored = await self.progress.end(run, ended, epoch=epoch, reason=reason)
        self.told(stored)
        return stored

    def told(self, run: Run) -> None:
        """A run that has ended, and is stored."""
        self.witness.run_ended(run)
        if run.did_not_help:
            self.on_failed(run)
