"""How far up their ladders faults are. Pure.

A pod that is evicted gets another name, and its successor the same trouble: so a pod's fault is known by what makes
its pods, and goes on where its predecessor's ladder was left.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from auto_healing.decide import FaultKey, next_rung
from auto_healing.fault import Fault, FaultLevel
from auto_healing.policy import HealingPolicy
from auto_healing.run import Run, RunState
from common.cluster.snapshot import ClusterSnapshot

# Between the end of one pod and the trouble of its successor no fault is there.
_REMEMBERED = timedelta(hours=1)


class Ladders:
    """One rung for each fault whose last run did not help."""

    def __init__(self) -> None:
        self._rungs: dict[FaultKey, int] = {}
        self._previous: dict[FaultKey, UUID] = {}
        self._seen_at: dict[FaultKey, datetime] = {}

    def load(self, judged: Sequence[Run], policy: HealingPolicy, now: datetime) -> None:
        """From runs that have helped or not, oldest first: the last word counts."""
        self.clear()
        for run in judged:
            if run.state is RunState.HEALED:
                self.healed(run)
            elif run.did_not_help:
                self.climb(run, policy, now)

    def climb(self, run: Run, policy: HealingPolicy, now: datetime) -> None:
        """The run did not help: its ladder's next rung is to be tried; after the last, one past it."""
        key = _key_of_run(run)
        above = next_rung(policy, run)
        self._rungs[key] = run.plan.rung + 1 if above is None else above
        self._previous[key] = run.id
        self._seen_at[key] = now

    def healed(self, run: Run) -> None:
        """Whatever comes next begins with the mildest remedy again."""
        self._forget(_key_of_run(run))

    def rungs(self, faults: Iterable[Fault], snapshot: ClusterSnapshot, now: datetime) -> Mapping[FaultKey, int]:
        """By the faults' own keys; those not in there are at their first rung. Forgets what is long over."""
        found: dict[FaultKey, int] = {}
        for fault in faults:
            key = _key_of(fault, snapshot)
            if key in self._rungs:
                found[fault.key] = self._rungs[key]
                self._seen_at[key] = now
        for key, seen_at in list(self._seen_at.items()):
            if now - seen_at > _REMEMBERED:
                self._forget(key)
            elif seen_at > now:  # the clock was set back
                self._seen_at[key] = now
        return found

    def previous(self, fault: Fault, snapshot: ClusterSnapshot) -> UUID | None:
        """The run that did not help."""
        return self._previous.get(_key_of(fault, snapshot))

    def clear(self) -> None:
        for known in (self._rungs, self._previous, self._seen_at):
            known.clear()

    def _forget(self, key: FaultKey) -> None:
        self._rungs.pop(key, None)
        self._previous.pop(key, None)
        self._seen_at.pop(key, None)


def _key_of(fault: Fault, snapshot: ClusterSnapshot) -> FaultKey:
    row = snapshot.find(fault.subject) if fault.level is FaultLevel.POD else None
    return fault.key if row is None else (fault.level, snapshot.top_owner(row))


def _key_of_run(run: Run) -> FaultKey:
    fault = run.plan.fault
    return (fault.level, run.place.owner) if fault.level is FaultLevel.POD else fault.key
