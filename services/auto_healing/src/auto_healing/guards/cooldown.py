"""After an action, its effect is awaited; each further one on the same thing waits twice as long."""

from collections.abc import Collection
from datetime import timedelta
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.steps import counted, is_same_remedy, owner_of, tidies
from auto_healing.history import PastRun
from auto_healing.plan import Decline, Harm, Step
from common.contracts import ObjectKey

_AGAIN = timedelta(seconds=30)


class Cooldown:
    code: ClassVar[str] = "cooldown"
    title: ClassVar[str] = "Has the last action on it had time to show its effect?"
    looks_at: ClassVar[str] = (
        "When the last run on the same object, and on the same workload, ended; the wait doubles with every further "
        "run up to its longest. And whether the pod that replaced the last one is ready yet. It counts for that object "
        "and workload alone, so that one which fails on and on keeps nobody else waiting."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        if tidies(step):
            return None
        settings, owner = facts.settings.cooldown, owner_of(step, facts)
        of_target = _recent(facts.history.of_target(step.target.key), step, facts)
        of_owner = _recent(facts.history.of_owner(owner), step, facts)
        return (
            self._wait(step.target.key, of_target, settings.target, facts)
            or self._wait(owner, of_owner, settings.owner, facts)
            or self._replacement(step, owner, of_owner, facts)
        )

    def _wait(self, key: ObjectKey, runs: list[PastRun], base: timedelta, facts: Facts) -> Decline | None:
        if not runs:
            return None
        wait = min(facts.settings.cooldown.longest, base * 2 ** min(len(runs) - 1, 20))
        ended_at = max(run.ended_at or run.started_at for run in runs)
        if facts.now >= ended_at + wait:
            return None
        seconds = round((facts.now - ended_at).total_seconds())
        return Decline(
            guard=self.code,
            message=f"{key} was acted on {counted(len(runs), 'time')} lately, the last time {seconds} s ago; "
            f"the next wait is {wait.total_seconds():g} s",
            numbers={"runs": len(runs), "since_last_seconds": seconds, "wait_seconds": wait.total_seconds()},
            look_again_at=ended_at + wait,
        )

    def _replacement(self, step: Step, owner: ObjectKey, runs: list[PastRun], facts: Facts) -> Decline | None:
        """The pod that came for the last one is to be ready first; unless it is what this is about."""
        if not runs or step.target.kind != "Pod":
            return None
        since = max(run.started_at for run in runs)
        for pod in facts.snapshot.pods_of(owner):
            made = pod.created_at
            if made is not None and made >= since and not pod.ready and not pod.finished and pod.key != step.target.key:
                return Decline(
                    guard=self.code,
                    message=f"Pod {pod.name}, made since the last action on {owner}, is not ready yet",
                    numbers={"replacement": pod.name, "age_seconds": round((facts.now - made).total_seconds())},
                    look_again_at=facts.now + _AGAIN,
                )
        return None


def _recent(runs: Collection[PastRun], step: Step, facts: Facts) -> list[PastRun]:
    """Of a ladder's higher rung only its own repeats: the rungs below have been watched until they failed."""
    since = facts.now - facts.settings.cooldown.memory
    return [
        run
        for run in runs
        if run.harm is Harm.HARMFUL
        and (run.ended_at or run.started_at) > since
        and (facts.plan.rung == 0 or is_same_remedy(run, step, facts))
    ]
