"""A run while it is carried out."""

from collections.abc import Mapping
from dataclasses import dataclass

from auto_healing.actions.action import Action, Outcome, Result
from auto_healing.execute.attempts import HOW_FAR
from auto_healing.plan import Step
from auto_healing.run import Run, RunState, StepState
from auto_healing.storage.progress import SUCCESS
from auto_healing.storage.run_rows import StoredStep

INTERRUPTED = Outcome(
    result=Result.FAILED, message="it was interrupted, and nobody knows how far it got", numbers=HOW_FAR
)
_STOPPED = {"stopped": True}


def broken_off(why: str) -> Outcome:
    """Of a step that somebody stopped on its way."""
    return Outcome(result=Result.FAILED, message=f"it was broken off: {why}", numbers={**HOW_FAR, **_STOPPED})


def was_broken_off(outcome: Outcome) -> bool:
    return _STOPPED.items() <= outcome.numbers.items()


@dataclass(slots=True)
class Carried:
    """The run and its steps as they were stored last, and the epoch in which it is carried out."""

    run: Run
    steps: list[StoredStep]
    epoch: int

    def keep(self, run: Run, step: StoredStep) -> None:
        self.run = run
        self.steps[step.number] = step

    def planned(self, step: StoredStep) -> Step:
        return self.run.plan.steps[step.number]

    @property
    def untouched(self) -> bool:
        return all(step.state is StepState.PENDING for step in self.steps)

    @property
    def is_stopped(self) -> bool:
        """Whether it ends on its way though no step has failed: a guard or a person said stop, which proves nothing."""
        return self.run.state is RunState.RUNNING and not any(_failed(step.outcome) for step in self.steps)

    def undoable(self, actions: Mapping[str, Action]) -> list[StoredStep]:
        """The steps that have left something that can be taken back, the last first."""
        return [
            step
            for step in reversed(self.steps)
            if _left_something(step) and (action := actions.get(step.action)) is not None and action.undoable
        ]


def _failed(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.result not in SUCCESS and not was_broken_off(outcome)


def _left_something(step: StoredStep) -> bool:
    if step.state is StepState.FAILED:
        return step.outcome is None or bool(step.outcome.inverse) or HOW_FAR.items() <= step.outcome.numbers.items()
    if step.state is StepState.DONE:
        return step.outcome is None or step.outcome.result is Result.DONE or bool(step.outcome.inverse)
    return step.state in (StepState.STARTED, StepState.UNDO_FAILED)
