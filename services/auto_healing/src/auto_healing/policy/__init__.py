"""What may be healed, how, and how far that may go by itself. Values that know no file.

For a fault the rules are asked in their order, and the first that matches gives the ladder of remedies to climb.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from auto_healing.actions.cleanup.settings import CleanupSettings
from auto_healing.fault import Fault, FaultLevel
from auto_healing.guards.settings import GuardSettings
from auto_healing.plan import Mode, Parameters
from auto_healing.policy.settings import Attribution, Promotion, Scope
from common.cluster.rows import Labels
from common.contracts import Finding, Severity
from common.contracts.health import Scalar

CALL_A_HUMAN = "call-a-human"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which faults a rule is for. Whatever is left empty matches all. One finding has to match in every respect."""

    codes: frozenset[str] = frozenset()
    severities: frozenset[Severity] = frozenset()
    min_age: timedelta = timedelta()  # of the finding
    at_least: Mapping[str, float] = field(default_factory=dict)  # numbers in the finding's evidence
    levels: frozenset[FaultLevel] = frozenset()
    kinds: frozenset[str] = frozenset()  # of what the fault is laid upon
    namespaces: tuple[str, ...] = ()  # patterns such as "team-*"
    labels: Labels = field(default_factory=dict)  # of what the fault is laid upon

    def covers(self, fault: Fault, labels: Labels) -> bool:
        """Whether the fault's place and level fit."""
        subject = fault.subject
        return (
            (not self.levels or fault.level in self.levels)
            and (not self.kinds or subject.kind in self.kinds)
            and (not self.namespaces or any(fnmatchcase(subject.namespace, each) for each in self.namespaces))
            and (not self.labels or all(labels.get(key) == value for key, value in self.labels.items()))
        )

    def names(self, finding: Finding) -> bool:
        return (not self.codes or finding.code in self.codes) and (
            not self.severities or finding.severity in self.severities
        )

    def lacks(self, evidence: Mapping[str, Scalar]) -> str:
        """Which number of the evidence is not high enough, for people; empty when all are. One not told is not."""
        for name, least in self.at_least.items():
            if (number := _number(evidence.get(name))) < least:
                now = f"{number:g}" if number > float("-inf") else "not told"
                return f"{name} is at least {least:g}; it is {now}"
        return ""

    def due_at(self, finding: Finding) -> datetime:
        return finding.since + self.min_age


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One remedy of a ladder, and how long it may take and be watched."""

    action: str  # its code, or `call-a-human`
    parameters: Parameters = field(default_factory=dict)
    timeout: timedelta = timedelta(minutes=10)
    verify: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """For the faults that it matches: the ladder, and how far it may go by itself."""

    name: str
    match: Match
    ladder: tuple[Rung, ...]
    mode: Mode | None = None  # None: as the policy says for all
    approval_expires: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealingPolicy:
    """Everything that a policy file says, with what it leaves out filled in."""

    version: int = 1
    mode: Mode = Mode.OBSERVE  # of rules that do not say
    approval_expires: timedelta = timedelta(hours=1)
    scope: Scope = field(default_factory=Scope)
    attribution: Attribution = field(default_factory=Attribution)
    promotion: Promotion = field(default_factory=Promotion)
    rules: tuple[Rule, ...] = ()
    guards: GuardSettings = field(default_factory=GuardSettings)
    cleanup: CleanupSettings = field(default_factory=CleanupSettings)

    def rule(self, name: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.name == name), None)

    def mode_of(self, rule: Rule) -> Mode:
        """Of the rule, before it is asked whether the object has opted in."""
        return rule.mode or self.mode

    def expiry_of(self, rule_name: str) -> timedelta:
        """How long a run of the rule waits for approval; also of a rule that is gone, or none."""
        rule = self.rule(rule_name)
        return (rule and rule.approval_expires) or self.approval_expires


def chosen(findings: Iterable[Finding]) -> Finding:
    """The finding that a fault is told by: the most severe, then the oldest."""
    return min(findings, key=lambda finding: (-finding.severity.rank, finding.since, finding.key))
