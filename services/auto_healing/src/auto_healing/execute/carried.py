"""A run while it is carried out."""

from collections.abc import Mapping
from dataclasses import dataclass

from auto_healing.actions.action import Action, Result
from auto_healing.execute.attempts import HOW_FAR
from auto_healing.plan import Step
from auto_healing.run import Run, StepState
from auto_healing.storage.run_rows import StoredStep


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

    def undoable(self, actions: Mapping[str, Action]) -> list[StoredStep]:
        """The steps that have left something that can be taken back, the last first."""
        return [
            step
            for step in reversed(self.steps)
            if _left_something(step) and (action := actions.get(step.action)) is not None and action.undoable
        ]


def _left_something(step: StoredStep) -> bool:
    if step.state is StepState.FAILED:
        return step.outcome is None or bool(step.outcome.inverse) or HOW_FAR.items() <= step.outcome.numbers.items()
    if step.state is StepState.DONE:
        return step.outcome is None or step.outcome.result is Result.DONE or bool(step.outcome.inverse)
    return step.state in (StepState.STARTED, StepState.UNDO_FAILED)
