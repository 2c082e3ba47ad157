"""Counts what happens to decisions, steps and runs, and logs what becomes of runs."""

from collections.abc import Sequence
from typing import Any

import structlog

from auto_healing.actions.action import Outcome
from auto_healing.actions.cleanup import CLEANUP_BY_CODE
from auto_healing.metrics import Metrics
from auto_healing.plan import Step
from auto_healing.run import Run, RunState
from auto_healing.storage.proposing import Answer
from auto_healing.storage.tombstones import Tombstone

log = structlog.get_logger(__name__)


class Told:
    """Hears of what happened from those who did it. Refusals are logged for debugging alone: the ledger has them all,
    and a storm of findings brings thousands."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def decided(self, answers: Sequence[Answer], seconds: float) -> None:
        self._metrics.decision.observe(seconds)
        for answer in answers:
            if answer.repeat:
                continue
            outcome = answer.run.state.value if answer.run is not None else RunState.DECLINED.value
            self._metrics.decisions.labels(answer.plan.rule, answer.plan.mode, outcome).inc()
            _log_decision(answer, outcome)
            if answer.declined:
                self._metrics.declines.labels(answer.declined[0].guard).inc()

    def step_started(self, run: Run, step: Step) -> None:
        log.info("a step has begun", run_id=str(run.id), action=step.action, object=str(step.target.key))

    def step_ended(self, run: Run, step: Step, outcome: Outcome, seconds: float) -> None:
        log.info(
            "a step has ended",
            run_id=str(run.id),
            action=step.action,
            object=str(step.target.key),
            result=outcome.result.value,
            reason=outcome.message,
            seconds=round(seconds, 3),
        )
        self._metrics.steps.labels(step.action, outcome.result).inc()
        self._metrics.step_duration.labels(step.action).observe(seconds)
        if step.action in CLEANUP_BY_CODE:
            for what in ("deleted", "gone", "left"):
                self._metrics.cleanup_objects.labels(step.action, what).inc(float(outcome.numbers.get(what, 0)))
        if run.started_at is not None and step == run.plan.steps[0]:
            self._metrics.waited.observe(max(0.0, (run.started_at - run.created_at).total_seconds()))

    def run_ended(self, run: Run) -> None:
        action = run.plan.steps[0].action if run.plan.steps else ""
        log.info("a run has ended", state=run.state.value, seconds_to_heal=run.seconds_to_heal, **_of_run(run))
        self._metrics.runs.labels(action, run.state).inc()
        if run.state is RunState.HEALED and run.seconds_to_heal is not None:
            self._metrics.time_to_heal.labels(action).observe(run.seconds_to_heal)

    def looked(
        self, rule: str, *, marked: int, stones: Sequence[Tombstone], unproven: int, answers: Sequence[Answer]
    ) -> None:
        """What a look of cleanup came to; `marked` are new among the stones."""
        due = sum(stone.due_at is not None for stone in stones)
        self._metrics.cleanup_objects.labels(rule, "marked").inc(marked)
        for state, count in (("waiting", len(stones) - due), ("due", due), ("unproven", unproven)):
            self._metrics.cleanup_unused.labels(rule, state).set(count)
        if stones:
            oldest = min(stone.first_seen_at for stone in stones)
            self._metrics.cleanup_oldest.labels(rule).set(oldest.timestamp())
        else:
            self._metrics.cleanup_oldest.remove(rule)
        for answer in answers:
            if answer.declined and not answer.repeat:
                self._metrics.cleanup_declines.labels(rule, answer.declined[0].guard).inc()

    def forget_looks(self) -> None:
        """Another replica looks from now on, and tells what waits."""
        self._metrics.cleanup_unused.clear()
        self._metrics.cleanup_oldest.clear()


def _log_decision(answer: Answer, outcome: str) -> None:
    if answer.run is not None:
        log.info("a run is stored", state=outcome, **_of_run(answer.run))
    elif answer.declined:
        first = answer.declined[0]
        log.debug("declined", object=str(answer.plan.target.key), guard=first.guard, reason=first.message)


def _of_run(run: Run) -> dict[str, Any]:
    action = run.plan.steps[0].action if run.plan.steps else ""
    told = {"run_id": str(run.id), "rule": run.plan.rule, "action": action, "object": str(run.plan.target.key)}
    return told | ({"reason": run.reason} if run.reason else {})
