"""What people should change, because healing alone does not end it: rules over what the runs have shown. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from auto_healing.plan import Mode
from auto_healing.run import RunState
from auto_healing.statistics import RuleRefusals, RunFact
from common.contracts import Finding
from common.contracts.health import Scalar

_MIB = 1 << 20
# The vertical autoscaler's answer to an OOM kill: 20 % more, and at least 100 MiB
# (https://github.com/kubernetes/autoscaler/blob/master/vertical-pod-autoscaler/docs/flags.md, oom-bump-up-ratio).
_OOM_BUMP_PERCENT, _OOM_BUMP_BYTES = 20, 100 * _MIB
# Judgements: fewer tries prove nothing; what helps once in three times is no cure.
_TRIES = 3
_NO_CURE = 1 / 3
_NEVER_TRIES = 5
_BETTER_TRIES = 2
_DECLINED = 10
_UNAPPROVED = 5
_ENDED_UNAPPROVED = (RunState.EXPIRED, RunState.DECLINED)

# Highest memory use that evidence shows, by workload (kind/namespace/name) and container.
Peaks = Mapping[tuple[str, str], int]


class Advice(StrEnum):
    """What kind of change is recommended."""

    RAISE_MEMORY_LIMIT = "raise-memory-limit"
    USE_BETTER_ACTION = "use-better-action"
    DROP_ACTION = "drop-action"
    FIND_CAUSE = "find-cause"
    REVIEW_GUARD = "review-guard"
    REVIEW_APPROVALS = "review-approvals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One change that is worth making. `subject` is a workload as kind/namespace/name, or the name of a rule."""

    advice: Advice
    subject: str
    message: str  # one sentence for people
    numbers: Mapping[str, Scalar]
    runs: int  # or refusals, that it rests on


def recommend(runs: Sequence[RunFact], refusals: Iterable[RuleRefusals], peaks: Peaks) -> list[Recommendation]:
    """Those that rest on the most runs, or refusals, first."""
    found = [*_of_workloads(runs, peaks), *_review_guards(runs, refusals), *_review_approvals(runs)]
    return sorted(found, key=lambda each: (-each.runs, each.subject, each.advice))


def _of_workloads(runs: Iterable[RunFact], peaks: Peaks) -> Iterator[Recommendation]:
    groups: dict[tuple[str, str], list[RunFact]] = defaultdict(list)
    for run in runs:
        if run.judged and run.code:
            groups[run.owner, run.code].append(run)
    for (owner, code), tried in groups.items():
        by_action: dict[str, list[RunFact]] = defaultdict(list)
        for run in tried:
            by_action[run.action].append(run)
        memory = [*_raise_memory(owner, by_action, peaks)]
        better = [] if memory else [*_use_better(owner, code, by_action)]
        yield from memory or better or _drop(owner, code, by_action)
        if not memory:
            yield from _find_cause(owner, code, tried)


def _raise_memory(owner: str, by_action: Mapping[str, Sequence[RunFact]], peaks: Peaks) -> Iterator[Recommendation]:
    """No restart ends it when a container needs more than it may have."""
    for action, tried in by_action.items():
        killed = [run for run in tried if run.oom_kills]
        if len(killed) < _TRIES or _rate(killed) > _NO_CURE:
            continue
        limits = {kill.container: kill.limit_bytes for run in killed for kill in run.oom_kills}
        for container, limit in sorted(limits.items()):
            peak = max(limit, peaks.get((owner, container), 0))
            target = raised(peak)
            yield Recommendation(
                advice=Advice.RAISE_MEMORY_LIMIT,
                subject=owner,
                message=f"{_helped(action, killed)}, container {container} is OOMKilled again: "
                + _raise_to(limit, target, known=peak > 0),
                numbers={
                    "helped": sum(run.helped for run in killed),
                    "container": container,
                    "limit_bytes": limit,
                    "peak_bytes": peak,
                    "recommended_limit_bytes": target if peak else 0,
                },
                runs=len(killed),
            )


def raised(used_bytes: int) -> int:
    """The limit to try after an OOM kill at this use, in bytes, up to the next MiB."""
    bumped = used_bytes + max(_OOM_BUMP_BYTES, used_bytes * _OOM_BUMP_PERCENT // 100)
    return -(-bumped // _MIB) * _MIB


def _raise_to(limit: int, target: int, *, known: bool) -> str:
    if not known:
        return "it has no memory limit and its node ran out; set a memory request that it can live on"
    before = f"from {limit // _MIB} MiB " if limit else ""
    return f"raise its memory limit {before}to {target // _MIB} MiB, or find the leak"


def advice_on(finding: Finding) -> str:
    """What to change about a finding that no remedy ends, for people; empty when its evidence does not tell."""
    limit = finding.evidence.get("memory_limit_bytes")
    if finding.code != "pod-oom-killed" or not isinstance(limit, int):
        return ""
    return _raise_to(limit, raised(limit), known=limit > 0)


def _use_better(owner: str, code: str, by_action: Mapping[str, Sequence[RunFact]]) -> Iterator[Recommendation]:
    """Another action has helped more often than the one that is tried most."""
    enough = {action: tried for action, tried in by_action.items() if len(tried) >= _BETTER_TRIES}
    if len(enough) < 2:
        return
    most = max(enough, key=lambda action: (len(enough[action]), action))
    best = max(enough, key=lambda action: (_rate(enough[action]), len(enough[action]), action))
    if _rate(enough[best]) <= _rate(enough[most]):
        return
    yield Recommendation(
        advice=Advice.USE_BETTER_ACTION,
        subject=owner,
        message=f"against {code}, {_helped(best, enough[best])}, {_helped(most, enough[most])}: "
        f"put {best} before {most} in the ladder",
        numbers={
            "action": best,
            "instead_of": most,
            "helped": sum(run.helped for run in enough[best]),
            "tries": len(enough[best]),
            "helped_instead": sum(run.helped for run in enough[most]),
            "tries_instead": len(enough[most]),
        },
        runs=len(enough[best]) + len(enough[most]),
    )


def _drop(owner: str, code: str, by_action: Mapping[str, Sequence[RunFact]]) -> Iterator[Recommendation]:
    for action, tried in by_action.items():
        if len(tried) >= _NEVER_TRIES and not any(run.state is RunState.HEALED for run in tried):
            yield Recommendation(
                advice=Advice.DROP_ACTION,
                subject=owner,
                message=f"against {code}, {_helped(action, tried)}: take it from the ladder, it only disturbs",
                numbers={"action": action, "tries": len(tried)},
                runs=len(tried),
            )


def _find_cause(owner: str, code: str, tried: Sequence[RunFact]) -> Iterator[Recommendation]:
    healed = [run for run in tried if run.state is RunState.HEALED]
    back = sum(run.recurred_at is not None for run in healed)
    if len(healed) >= _TRIES and back * 2 >= len(healed):
        yield Recommendation(
            advice=Advice.FIND_CAUSE,
            subject=owner,
            message=f"{code} was healed {len(healed)} times and came back within a day {back} times: "
            "healing only hides its cause",
            numbers={"healed": len(healed), "recurred": back},
            runs=len(healed),
        )


def _review_guards(runs: Iterable[RunFact], refusals: Iterable[RuleRefusals]) -> Iterator[Recommendation]:
    """Rules that one guard never lets pass."""
    passed = {run.rule for run in runs if run.state is not RunState.DECLINED}
    by_rule: dict[str, list[RuleRefusals]] = defaultdict(list)
    for each in refusals:
        by_rule[each.rule].append(each)
    for rule, said in by_rule.items():
        if rule in passed or len(said) > 1 or said[0].times < _DECLINED:
            continue
        guard, times = said[0].guard, said[0].times
        yield Recommendation(
            advice=Advice.REVIEW_GUARD,
            subject=rule,
            message=f"guard {guard} declined everything that rule {rule} wanted, {times} times: "
            "the rule does nothing as it is; change it, or what the guard allows",
            numbers={"guard": guard, "declined": times},
            runs=times,
        )


def _review_approvals(runs: Iterable[RunFact]) -> Iterator[Recommendation]:
    """Rules that ask people who never say yes."""
    by_rule: dict[str, list[RunFact]] = defaultdict(list)
    for run in runs:
        if run.mode is Mode.APPROVE and run.state.ended and not run.guard:
            by_rule[run.rule].append(run)
    for rule, asked in by_rule.items():
        refused = [run for run in asked if run.state in _ENDED_UNAPPROVED and not run.approved]
        if len(refused) < _UNAPPROVED or len(refused) != len(asked):
            continue
        expired = sum(run.state is RunState.EXPIRED for run in refused)
        yield Recommendation(
            advice=Advice.REVIEW_APPROVALS,
            subject=rule,
            message=f"nobody approved any of the {len(refused)} runs of rule {rule}, {expired} of them expired: "
            "set it to observe, or let those hear of it who may approve",
            numbers={"asked": len(refused), "expired": expired, "denied": len(refused) - expired},
            runs=len(refused),
        )


def _helped(action: str, tried: Sequence[RunFact]) -> str:
    return f"{action} helped {sum(run.helped for run in tried)} of {len(tried)} times"


def _rate(tried: Sequence[RunFact]) -> float:
    return sum(run.helped for run in tried) / len(tried)
