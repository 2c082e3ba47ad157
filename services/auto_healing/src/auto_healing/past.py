"""The runs of the last day, in memory and in order, so that guards can ask thousands of times a second."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from auto_healing.history import KEPT, History, PastRun
from auto_healing.noticed import Noticed
from auto_healing.plan import Harm, Mode
from auto_healing.run import Run, RunState
from auto_healing.timeline import Timeline
from common.contracts import ObjectKey

# An approved run counts already: else a storm would approve more runs than the budgets allow before the first starts.
ACTIVE = frozenset({RunState.APPROVED, RunState.RUNNING, RunState.VERIFYING})
# From being stored to its verdict a run holds its target. As the table's partial unique index has it.
HOLDING = ACTIVE | {RunState.AWAITING_APPROVAL}
_NEVER_STARTED = frozenset({RunState.PROPOSED, RunState.AWAITING_APPROVAL, RunState.EXPIRED, RunState.OBSERVED})


def past_of(run: Run) -> PastRun | None:
    """What guards count of a run; None for one that neither acts nor has acted."""
    if run.state in _NEVER_STARTED or (run.state is RunState.DECLINED and run.started_at is None):
        return None
    return _as_past(run)


def unanswered_of(run: Run) -> PastRun | None:
    """A proposal of the policy's that nobody approved in time, or that a person said no to; None for all others."""
    asked = run.plan.mode is Mode.APPROVE and not run.approved_by and run.started_at is None
    return _as_past(run) if asked and run.state in (RunState.EXPIRED, RunState.DECLINED) else None


def _as_past(run: Run) -> PastRun:
    steps, findings = run.plan.steps, run.plan.fault.findings
    return PastRun(
        id=run.id,
        rule=run.plan.rule,
        action=steps[0].action if steps else "",
        harm=Harm.HARMFUL if any(step.harm is Harm.HARMFUL for step in steps) else Harm.RESTORING,
        target=run.plan.target.key,
        uid=run.plan.target.uid,
        owner=run.place.owner,
        revision=run.plan.fault.revision,
        node=run.place.node,
        zone=run.place.zone,
        pool=run.place.pool,
        namespace=run.plan.target.namespace,
        code=findings[0].code if findings else "",
        state=run.state,
        started_at=run.started_at or run.updated_at,
        ended_at=run.ended_at,
        displaced=sum(len(step.displaces) for step in steps),
    )


_NONE = Timeline()


class Past:
    """Implements History. What was there before is loaded when this replica begins to lead.

    `noticed` is what is known already of instants that are ahead of the clock.
    """

    def __init__(self, noticed: Noticed | None = None) -> None:
        self._noticed = Noticed() if noticed is None else noticed
        self._known: dict[UUID, Run] = {}
        self._holders: dict[ObjectKey, Run] = {}
        self._runs: dict[UUID, PastRun] = {}
        self._active: dict[UUID, PastRun] = {}
        self._all = Timeline()
        self._of_target: dict[ObjectKey, Timeline] = defaultdict(Timeline)
        self._of_owner: dict[ObjectKey, Timeline] = defaultdict(Timeline)
        self._in_namespace: dict[str, Timeline] = defaultdict(Timeline)
        self._unanswered: dict[ObjectKey, dict[UUID, PastRun]] = {}

    def load(self, runs: Iterable[Run]) -> None:
        """Forget everything and begin with these."""
        for known in list(self._known):
            self._forget(known)
        for run in runs:
            self.put(run)

    def put(self, run: Run) -> None:
        """A run began, moved on or ended. What was read before a newer change changes nothing."""
        known = self._known.get(run.id)
        if known is not None and known.updated_at > run.updated_at:
            return
        self._forget(run.id)
        self._known[run.id] = run
        if run.state in HOLDING:
            self._holders[run.plan.target.key] = run
        if (past := past_of(run)) is not None:
            self._count(past)
        elif (asked := unanswered_of(run)) is not None:
            self._unanswered.setdefault(asked.target, {})[asked.id] = asked

    def _count(self, past: PastRun) -> None:
        self._runs[past.id] = past
        for timeline in self._timelines(past):
            timeline.add(past)
        if past.state in ACTIVE:
            self._active[past.id] = past

    def get(self, run_id: UUID) -> Run | None:
        """The run as it was put last; None when it is not known, or no longer."""
        return self._known.get(run_id)

    def holder_of(self, target: ObjectKey) -> Run | None:
        """The run that no other on the same target may stand beside; it may still wait for approval."""
        return self._holders.get(target)

    def unfinished(self) -> list[Run]:
        """All that hold their targets."""
        return list(self._holders.values())

    def healed(self) -> list[Run]:
        """Those of the last day that helped."""
        return [run for run in self._known.values() if run.state is RunState.HEALED]

    def prune(self, now: datetime) -> None:
        """Drop what ended and began more than a day ago, and set right what is ahead of the clock."""
        self._set_right(now)
        limit = now - KEPT
        old = [run for run in self._known.values() if (run.started_at or run.updated_at) < limit]
        for run in old:
            if run.state not in HOLDING:
                self._forget(run.id)

    def _set_right(self, now: datetime) -> None:
        """Where the clock was set back, what is said to have happened later happened now: nothing waits for a day."""
        for run in list(self._runs.values()):
            if (right := self._noticed_of(run, now)) is not run:
                self._uncount(run.id)
                self._count(right)
        for runs in self._unanswered.values():
            runs.update({run.id: self._noticed_of(run, now) for run in runs.values()})
        self._noticed.keep(self._known)

    def _noticed_of(self, run: PastRun, now: datetime) -> PastRun:
        last = max(run.started_at, run.ended_at or run.started_at)
        at = self._noticed.at(run.id, last, now)
        if at is None or at >= last:
            return run
        ended_at = None if run.ended_at is None else min(run.ended_at, at)
        return replace(run, started_at=min(run.started_at, at), ended_at=ended_at)

    def _forget(self, run_id: UUID) -> None:
        if (run := self._known.pop(run_id, None)) is not None and self._holder_id(run) == run_id:
            del self._holders[run.plan.target.key]
        if run is not None and run_id in (asked := self._unanswered.get(run.plan.target.key, {})):
            del asked[run_id]
            if not asked:
                del self._unanswered[run.plan.target.key]
        self._uncount(run_id)

    def _uncount(self, run_id: UUID) -> None:
        self._active.pop(run_id, None)
        if (known := self._runs.pop(run_id, None)) is not None:
            for timeline in self._timelines(known):
                timeline.remove(known)
            self._drop_empty(known)

    def _holder_id(self, run: Run) -> UUID | None:
        holder = self._holders.get(run.plan.target.key)
        return None if holder is None else holder.id

    def _drop_empty(self, run: PastRun) -> None:
        for index, key in ((self._of_target, run.target), (self._of_owner, run.owner)):
            if not index[key]:
                del index[key]
        if not self._in_namespace[run.namespace]:
            del self._in_namespace[run.namespace]

    def _timelines(self, run: PastRun) -> tuple[Timeline, ...]:
        return (
            self._all,
            self._of_target[run.target],
            self._of_owner[run.owner],
            self._in_namespace[run.namespace],
        )

    def active(self) -> Collection[PastRun]:
        return sorted(self._active.values(), key=lambda run: run.started_at, reverse=True)

    def of_target(self, target: ObjectKey) -> Collection[PastRun]:
        return self._of_target.get(target, _NONE)

    def of_owner(self, owner: ObjectKey) -> Collection[PastRun]:
        return self._of_owner.get(owner, _NONE)

    def in_namespace(self, namespace: str) -> Collection[PastRun]:
        return self._in_namespace.get(namespace, _NONE)

    def unanswered(self, target: ObjectKey) -> Collection[PastRun]:
        return self._unanswered.get(target, {}).values()

    def since(self, at: datetime) -> Collection[PastRun]:
        return self._all.since(at)

    def without(self, run_id: UUID) -> History:
        """The same as a run itself must see it, which does not stand in its own way."""
        return _Without(self, run_id)

    def goes_first(self, run_id: UUID, other: PastRun) -> bool:
        """Whether the other one waits to start, and comes after the run: then it is the one that has to give way.

        Else two that were approved would each wait for the other.
        """
        own = self._runs.get(run_id)
        if own is None or other.state is not RunState.APPROVED:
            return False
        return own.state is not RunState.APPROVED or (own.started_at, own.id) < (other.started_at, other.id)


class _Without:
    def __init__(self, past: Past, run_id: UUID) -> None:
        self._past = past
        self._run_id = run_id

    def _others(self, runs: Collection[PastRun]) -> Collection[PastRun]:
        own = self._run_id
        return [run for run in runs if run.id != own and not self._past.goes_first(own, run)]

    def active(self) -> Collection[PastRun]:
        return self._others(self._past.active())

    def of_target(self, target: ObjectKey) -> Collection[PastRun]:
        return self._others(self._past.of_target(target))

    def of_owner(self, owner: ObjectKey) -> Collection[PastRun]:
        return self._others(self._past.of_owner(owner))

    def in_namespace(self, namespace: str) -> Collection[PastRun]:
        return self._others(self._past.in_namespace(namespace))

    def unanswered(self, target: ObjectKey) -> Collection[PastRun]:
        return self._past.unanswered(target)

    def since(self, at: datetime) -> Collection[PastRun]:
        return self._others(self._past.since(at))
