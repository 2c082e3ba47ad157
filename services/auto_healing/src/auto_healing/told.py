"""Counts what happens to decisions, steps and runs."""

from collections.abc import Sequence

from auto_healing.actions.action import Outcome
from auto_healing.metrics import Metrics
from auto_healing.plan import Step
from auto_healing.run import Run, RunState
from auto_healing.storage.proposing import Answer


class Told:
    """Hears of what happened from those who did it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def decided(self, answers: Sequence[Answer], seconds: float) -> None:
        self._metrics.decision.observe(seconds)
        for answer in answers:
            if answer.repeat:
                continue
            outcome = answer.run.state.value if answer.run is not None else RunState.DECLINED.value
            self._metrics.decisions.labels(answer.plan.rule, answer.plan.mode, outcome).inc()
            if answer.declined:
                self._metrics.declines.labels(answer.declined[0].guard).inc()

    def step_ended(self, run: Run, step: Step, outcome: Outcome, seconds: float) -> None:
        self._metrics.steps.labels(step.action, outcome.result).inc()
        self._metrics.step_duration.labels(step.action).observe(seconds)
        if run.started_at is not None and step == run.plan.steps[0]:
            self._metrics.waited.observe(max(0.0, (run.started_at - run.created_at).total_seconds()))

    def run_ended(self, run: Run) -> None:
        action = run.plan.steps[0].action if run.plan.steps else ""
        self._metrics.runs.labels(action, run.state).inc()
        if run.state is RunState.HEALED and run.seconds_to_heal is not None:
            self._metrics.time_to_heal.labels(action).observe(run.seconds_to_heal)
