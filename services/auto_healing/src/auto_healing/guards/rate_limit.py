"""However right each action is, there are not to be many of them at once."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.steps import DRAINING, counted, tidies
from auto_healing.history import PastRun
from auto_healing.plan import Decline, Harm, Step

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


class RateLimit:
    code: ClassVar[str] = "rate-limit"
    title: ClassVar[str] = "Has enough been done within the last minute and hour?"
    looks_at: ClassVar[str] = (
        "Runs on pods and workloads of the same namespace within a minute and an hour, each counted with the pods that "
        "it displaced, and for drains the time since the last one began."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        if tidies(step):
            return None
        if step.action in DRAINING:
            return self._drains(facts)
        if not step.target.namespace:
            return None
        settings, namespace = facts.settings.rate_limit, step.target.namespace
        runs = _actions(
            [*facts.history.in_namespace(namespace), *(r for r in facts.planned if r.namespace == namespace)]
        )
        return self._rate(namespace, runs, settings.pods_per_minute, _MINUTE, facts) or self._rate(
            namespace, runs, settings.pods_per_hour, _HOUR, facts
        )

    def _rate(self, namespace: str, runs: list[PastRun], limit: int, window: timedelta, facts: Facts) -> Decline | None:
        recent = sorted((run for run in runs if facts.now - run.started_at < window), key=lambda run: run.started_at)
        done = sum(_weight(run) for run in recent)
        if done < limit:
            return None
        name = "minute" if window == _MINUTE else "hour"
        return Decline(
            guard=self.code,
            message=f"{counted(done, 'action')} in namespace {namespace} within a {name}, and at most {limit} may be",
            numbers={"namespace": namespace, "done": done, "limit": limit, "window_seconds": window.total_seconds()},
            look_again_at=_below(recent, done, limit, window) if recent else None,
        )

    def _drains(self, facts: Facts) -> Decline | None:
        spacing = facts.settings.rate_limit.between_drains
        runs = _actions([*facts.history.since(facts.now - spacing), *facts.planned])
        begun = [
            run.started_at for run in runs if run.action in DRAINING or (run.target.kind == "Node" and run.displaced)
        ]
        last = max(begun, default=None)
        if last is None or facts.now - last >= spacing:
            return None
        seconds = round((facts.now - last).total_seconds())
        return Decline(
            guard=self.code,
            message=f"The last drain began {seconds} s ago; the next may begin {spacing.total_seconds():g} s after it",
            numbers={"since_last_seconds": seconds, "spacing_seconds": spacing.total_seconds()},
            look_again_at=last + spacing,
        )


def _actions(runs: Collection[PastRun]) -> list[PastRun]:
    """Harmful ones; what tidies up is limited by its own rules."""
    return [run for run in runs if run.harm is Harm.HARMFUL and not tidies(run)]


def _weight(run: PastRun) -> int:
    return max(1, run.displaced) if run.target.kind == "Pod" else 1


def _below(oldest_first: list[PastRun], done: int, limit: int, window: timedelta) -> datetime | None:
    """When enough of them are older than the window."""
    for run in oldest_first:
        done -= _weight(run)
        if done < limit:
            return run.started_at + window
    return None
