"""What healing has brought: success, time to heal, what helped whom, what came back, what was refused. Pure."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auto_healing.plan import Mode
from auto_healing.run import RunState

_FAILED = (RunState.FAILED, RunState.UNDONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OomKill:
    """A container that a run found killed for lack of memory; the limit is 0 when it had none."""

    container: str
    limit_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFact:
    """What counts of one run."""

    id: UUID
    rule: str
    mode: Mode
    action: str  # of the first step; empty when there was none
    owner: str  # top workload, as kind/namespace/name
    code: str  # of the finding that led to it; empty by hand
    state: RunState
    approved: bool = False  # by a person
    guard: str = ""  # the first that declined its plan
    seconds_to_heal: float | None = None  # from the finding's beginning
    score_before: float | None = None
    score_after: float | None = None
    recurred_at: datetime | None = None
    oom_kills: tuple[OomKill, ...] = ()

    @property
    def judged(self) -> bool:
        """It acted, and whether that helped is known."""
        return self.state is RunState.HEALED or self.state in _FAILED

    @property
    def helped(self) -> bool:
        """It healed, and the trouble stayed away for a day."""
        return self.state is RunState.HEALED and self.recurred_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How runs went. Rates are 0 to 1, and null where nothing was judged."""

    judged: int  # runs that acted and were judged
    healed: int
    failed: int  # did not help, and could not be undone or had nothing to undo
    undone: int  # did not help, and was undone
    recurred: int  # healed, and back within a day
    success_rate: float | None  # healed of judged
    recurrence_rate: float | None  # recurred of healed
    median_seconds_to_heal: float | None  # from the beginning of the finding to healed
    p90_seconds_to_heal: float | None
    mean_score_gain: float | None  # of the target, as health_monitor scored it


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEffect:
    """One action, over everything it was applied to."""

    action: str
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadEffect:
    """One action against one kind of finding on one workload."""

    owner: str
    code: str
    action: str
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How often a guard said no, as the ledger has it."""

    guard: str
    times: int
    objects: int  # different ones


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRefusals:
    """How often a guard said no to a rule."""

    rule: str
    guard: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Of all runs that were proposed within a range."""

    since: datetime
    until: datetime
    runs: int
    by_state: Mapping[RunState, int]
    effect: Effect
    actions: Sequence[ActionEffect]  # the most applied first
    workloads: Sequence[WorkloadEffect]  # the most healed against first
    refusals: Sequence[Refusals]  # the most frequent first


def summarise(
    runs: Sequence[RunFact], refusals: Sequence[Refusals], *, since: datetime, until: datetime, workloads: int = 100
) -> Statistics:
    """Runs by hand count as the others. At most so many `workloads` are listed."""
    by_action: dict[str, list[RunFact]] = defaultdict(list)
    for run in runs:
        if run.judged:
            by_action[run.action].append(run)
    actions = [ActionEffect(action=action, effect=effect_of(found)) for action, found in by_action.items()]
    return Statistics(
        since=since,
        until=until,
        runs=len(runs),
        by_state=Counter(run.state for run in runs),
        effect=effect_of(runs),
        actions=sorted(actions, key=lambda each: (-each.effect.judged, each.action)),
        workloads=workload_effects(runs)[:workloads],
        refusals=sorted(refusals, key=lambda each: (-each.times, each.guard)),
    )


def workload_effects(runs: Iterable[RunFact]) -> list[WorkloadEffect]:
    """By workload, finding and action, the most judged first."""
    groups: dict[tuple[str, str, str], list[RunFact]] = defaultdict(list)
    for run in runs:
        if run.judged:
            groups[run.owner, run.code, run.action].append(run)
    effects = [
        WorkloadEffect(owner=owner, code=code, action=action, effect=effect_of(found))
        for (owner, code, action), found in groups.items()
    ]
    return sorted(effects, key=lambda each: (-each.effect.judged, each.owner, each.code, each.action))


def effect_of(runs: Iterable[RunFact]) -> Effect:
    """Those that were never judged, as declined or observed ones, do not count."""
    judged = [run for run in runs if run.judged]
    states = Counter(run.state for run in judged)
    healed, recurred = states[RunState.HEALED], sum(run.recurred_at is not None for run in judged)
    seconds = sorted(
        run.seconds_to_heal for run in judged if run.state is RunState.HEALED and run.seconds_to_heal is not None
    )
    gains = [
        run.score_after - run.score_before
        for run in judged
        if run.score_before is not None and run.score_after is not None
    ]
    return Effect(
        judged=len(judged),
        healed=healed,
        failed=states[RunState.FAILED],
        undone=states[RunState.UNDONE],
        recurred=recurred,
        success_rate=_share(healed, len(judged)),
        recurrence_rate=_share(recurred, healed),
        median_seconds_to_heal=statistics.median(seconds) if seconds else None,
        p90_seconds_to_heal=seconds[math.ceil(len(seconds) * 0.9) - 1] if seconds else None,  # nearest rank
        mean_score_gain=statistics.fmean(gains) if gains else None,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
