"""Which rule a fault falls under, and what its remedy is applied to."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from auto_healing import marks
from auto_healing.actions.action import Action
from auto_healing.fault import Fault, FaultLevel
from auto_healing.plan import Decline, Mode
from auto_healing.policy import HealingPolicy, Rule, chosen
from auto_healing.policy.codes import CLEANED_BY
from auto_healing.policy.settings import Scope
from auto_healing.restarts import evidence_now, message_now
from common.cluster.rows import NamespaceRow, PodRow, Row
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding, ObjectKey
from common.policy.shape import format_duration

POLICY, TARGET, CLEANUP = "policy", "target", "cleanup"  # who declines that is no guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The rule for a fault, and how far it may go here. `fault` has the finding that the rule matched in front."""

    rule: Rule
    mode: Mode
    fault: Fault
    why_observed: str = ""  # why it may only be observed, although its rule says more

    @property
    def finding(self) -> Finding:
        return self.fault.findings[0]


def choose(fault: Fault, snapshot: ClusterSnapshot, policy: HealingPolicy, now: datetime) -> Choice | Decline:
    """The first rule that matches; the reason when none does, or none does yet."""
    subject = snapshot.find(fault.subject)
    labels = subject.labels if subject else {}
    waiting: list[tuple[datetime, Rule]] = []
    lacking: list[str] = []
    for rule in policy.rules:
        if not rule.match.covers(fault, labels):
            continue
        named = [each for each in fault.findings if rule.match.names(each)]
        lacks = [rule.match.lacks(evidence_now(each, snapshot)) for each in named]
        reached = [each for each, lack in zip(named, lacks, strict=True) if not lack]
        due = [each for each in reached if rule.match.due_at(each) <= now]
        if due:
            return _chosen(rule, due, fault, snapshot, policy)
        if reached:
            waiting.append((min(map(rule.match.due_at, reached)), rule))
        lacking += [f"rule {rule.name} waits until {lack}" for lack in lacks if lack]
    if waiting:
        due_at, rule = min(waiting, key=lambda each: each[0])
        return Decline(
            guard=POLICY,
            message=f"rule {rule.name} waits until it has lasted {format_duration(rule.match.min_age)}",
            numbers={"wait_seconds": round((due_at - now).total_seconds(), 1)},
            look_again_at=due_at,
        )
    if lacking:
        return Decline(guard=POLICY, message=lacking[0])
    nobody = Decline(guard=POLICY, message=f"no rule of the policy is for {_named(fault)}")
    return _left_to_cleanup(fault, policy) or nobody


def _left_to_cleanup(fault: Fault, policy: HealingPolicy) -> Decline | None:
    """The reason why no rule is needed for what is only left behind."""
    if any(finding.code not in CLEANED_BY for finding in fault.findings):
        return None
    code = CLEANED_BY[fault.findings[0].code]
    settings = policy.cleanup.rule(code)
    when = f"by its schedule {settings.schedule!r} in mode {settings.mode}"
    return Decline(guard=CLEANUP, message=f"{_named(fault)} is left to {code}, which runs {when}")


def _chosen(
    rule: Rule, due: list[Finding], fault: Fault, snapshot: ClusterSnapshot, policy: HealingPolicy
) -> Choice | Decline:
    mode = policy.mode_of(rule)
    if mode is Mode.OFF:
        return Decline(guard=POLICY, message=f"rule {rule.name} is off")
    matched = chosen(due)
    others = tuple(each for each in fault.findings if each is not matched)
    fault = replace(fault, findings=(replace(matched, message=message_now(matched, snapshot)), *others))
    if mode is not Mode.OBSERVE and not opted_in(fault.subject, snapshot, policy.scope):
        who = "it or its namespace" if fault.subject.namespace else "it"
        why = f"{fault.subject} has not opted in, so it is only observed: label {who} {marks.HEAL}=on"
        return Choice(rule=rule, mode=Mode.OBSERVE, fault=fault, why_observed=why)
    return Choice(rule=rule, mode=mode, fault=fault)


def _named(fault: Fault) -> str:
    codes = sorted({finding.code for finding in fault.findings})
    rest = f" and {len(codes) - 3} more" if len(codes) > 3 else ""
    return f"{', '.join(codes[:3])}{rest} of {fault.subject} at level {fault.level}"


def opted_in(key: ObjectKey, snapshot: ClusterSnapshot, scope: Scope) -> bool:
    """Whether the object, a workload that it belongs to, or its namespace says so, or the policy does for it."""
    if not scope.opt_in:
        return True
    if key.namespace and any(fnmatchcase(key.namespace, pattern) for pattern in scope.namespaces):
        return True
    return any(
        said[marks.HEAL].strip().lower() == "on"
        for each in _around(key, snapshot)
        for said in (each.labels, each.annotations)
        if marks.HEAL in said
    )


def _around(key: ObjectKey, snapshot: ClusterSnapshot) -> Iterator[Row]:
    row = snapshot.find(key)
    if row is not None:
        yield row
        for owner in snapshot.owners(row):
            above = snapshot.find(owner)
            if above is not None:
                yield above
    namespace = snapshot.get(NamespaceRow, key.namespace) if key.namespace else None
    if namespace is not None:
        yield namespace


def target_for(action: Action, fault: Fault, snapshot: ClusterSnapshot) -> Row | Decline:
    """What the action is applied to: what the fault is laid upon, or where that is not its kind, what belongs to it."""
    seen = False
    for key in _candidates(fault, snapshot):
        row = snapshot.find(key)
        if row is None:
            continue
        seen = True
        if row.kind in action.kinds:
            return row
    if not seen:
        return Decline(guard=TARGET, message=f"{fault.subject} is gone, or not seen")
    kinds = " or ".join(sorted(action.kinds))
    where = f"a fault of {fault.subject} at level {fault.level}"
    return Decline(guard=POLICY, message=f"{action.code} is for a {kinds}, and {where} has none")


def _candidates(fault: Fault, snapshot: ClusterSnapshot) -> Iterator[ObjectKey]:
    yield fault.subject
    if fault.level is FaultLevel.POD:
        row = snapshot.find(fault.subject)
        if isinstance(row, PodRow):
            yield from reversed(snapshot.owners(row))
    elif fault.level not in {FaultLevel.NODE, FaultLevel.ZONE}:
        for finding in fault.findings:
            yield finding.object.key
