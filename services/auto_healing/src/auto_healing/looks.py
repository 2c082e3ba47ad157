"""When a fault is worth another look. Pure.

Whose fault something is may change with the cluster alone, without a word from anybody: so while anything is wrong it
is asked anew every `LOOK_EVERY`, and no fault is without an answer for longer than that.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from auto_healing.decide import FaultKey
from auto_healing.fault import Fault, FaultLevel
from auto_healing.plan import Mode, Plan
from auto_healing.run import Run
from auto_healing.world import World
from common.contracts import ObjectKey, Severity

LOOK_EVERY = timedelta(seconds=30)  # also at a fault that nothing was done about, for what no refusal could tell
Seen = tuple[tuple[str, ObjectKey, str], str, Severity]  # key and uid, and how bad it is
_SOONEST = timedelta(milliseconds=100)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Look:
    """What a fault was when it was last looked at, and when that is worth doing again."""

    seen: frozenset[Seen]
    at: datetime
    again_at: datetime

    def is_over(self, now: datetime) -> bool:
        """Also when the clock was set back."""
        return not self.at <= now < self.again_at


class Looks:
    """The last look at each fault that is there. `looked_at` is when that was last asked of all of them."""

    def __init__(self, now: datetime) -> None:
        self.looked_at = now
        self._looks: dict[FaultKey, Look] = {}
        self._left: frozenset[FaultKey] = frozenset()  # to a run, or to their own end

    def due(self, faults: Sequence[Fault], world: World, unfinished: Iterable[Run]) -> list[Fault]:
        """What changed or has its time. What a run is at work on is left to it, with all that belongs to its owner:
        while a rollout is taken back, its pods come and go. Forgets faults that are gone."""
        self.looked_at = world.now
        at_work = worked_on(unfinished)
        there = {
            fault.key: is_there(fault, world) and not (at_work and at_work & places_of(fault, world))
            for fault in faults
        }
        self._looks = {key: look for key, look in self._looks.items() if key in there}
        self._left = frozenset(key for key, is_open in there.items() if not is_open)
        return [fault for fault in faults if there[fault.key] and self._is_due(fault, world.now)]

    def _is_due(self, fault: Fault, now: datetime) -> bool:
        look = self._looks.get(fault.key)
        return look is None or look.is_over(now) or look.seen != _signature(fault)

    def answered(self, plan: Plan, now: datetime) -> None:
        """The fault was decided about."""
        self._looks[plan.fault.key] = Look(_signature(plan.fault), now, _again_at(plan, now))

    def __iter__(self) -> Iterator[Look]:
        return iter(self._looks.values())

    def last(self, fault: FaultKey) -> Look | None:
        return self._looks.get(fault)

    def forget(self, fault: FaultKey) -> None:
        """Look at it again."""
        self._looks.pop(fault, None)

    def clear(self) -> None:
        self._looks.clear()

    def next_at(self, now: datetime, *, troubled: bool) -> datetime:
        """When to look again though nothing was told: now, when the clock was set back. `troubled`: something is wrong.
        What was left to a run has no time of its own: its end is told."""
        if self.looked_at > now:
            return now
        usual = (self.looked_at if troubled else now) + LOOK_EVERY
        return min((usual, *(look.again_at for key, look in self._looks.items() if key not in self._left)))


def worked_on(unfinished: Iterable[Run]) -> set[ObjectKey]:
    return {key for run in unfinished for key in (run.plan.target.key, run.place.owner)}


def is_there(fault: Fault, world: World) -> bool:
    """A pod that is gone, or going within its grace, needs nothing any more; health_monitor is about to say so."""
    if fault.level is not FaultLevel.POD:
        return True
    row = world.snapshot.find(fault.subject)
    return row is not None and (row.deleted_at is None or row.deleted_at <= world.now)


def places_of(fault: Fault, world: World) -> set[ObjectKey]:
    """What a run would be at work on, were it at work on the fault: what it is laid upon, and the owner of that."""
    row = world.snapshot.find(fault.subject)
    return {fault.subject} if row is None else {fault.subject, world.snapshot.top_owner(row)}


def _signature(fault: Fault) -> frozenset[Seen]:
    return frozenset((finding.key, finding.object.uid, finding.severity) for finding in fault.findings)


def _again_at(plan: Plan, now: datetime) -> datetime:
    """The earliest time that a refusal names; else now and then, since what it waits for may come unannounced."""
    named = [decline.look_again_at for decline in plan.declined if decline.look_again_at is not None]
    usual = _next_round(now, LOOK_EVERY if plan.mode is not Mode.OBSERVE else 10 * LOOK_EVERY)
    return max(min([*named, usual]), now + _SOONEST)


def _next_round(now: datetime, every: timedelta) -> datetime:
    """Rounds are by the clock, so that faults that began at different times are looked at together: each look is an
    attribution of all findings, and a hundred faults that are each looked at in a moment of their own are a hundred."""
    return now + every - (now - _EPOCH) % every
