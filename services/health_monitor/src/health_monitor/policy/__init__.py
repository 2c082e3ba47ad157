"""What is looked for, how strictly and how much it counts: the check's own defaults, then the policy, rule by rule.

A value that knows no file. Answers are cached, and the same object is given for the same code and matching rules.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeVar, get_args, get_type_hints

from common.cluster.rows import Labels
from common.contracts import Severity
from health_monitor.checks.check import Check

T = TypeVar("T")

NO_LABELS: Labels = {}


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for one check and one object."""

    enabled: bool
    severity: Severity | None  # None: as the check, or its symptom, says
    weight: float | None  # points that a finding takes; None: as the severity says
    thresholds: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a policy changes of a check; None and absent thresholds are left as they are."""

    enabled: bool | None = None
    severity: Severity | None = None
    weight: float | None = None
    thresholds: Mapping[str, Any] = field(default_factory=dict)

    def over(self, below: Effective) -> Effective:
        return Effective(
            enabled=below.enabled if self.enabled is None else self.enabled,
            severity=self.severity or below.severity,
            weight=below.weight if self.weight is None else self.weight,
            thresholds=_with_values(below.thresholds, self.thresholds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Overrides for the objects that it matches. Whatever is left empty matches all."""

    namespaces: tuple[str, ...] = ()  # patterns such as "team-*"
    labels: Labels = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    checks: Mapping[str, Override]

    def may_concern(self, check: Check[Any, Any]) -> bool:
        return check.code in self.checks and (not self.kinds or check.kind in self.kinds)

    def covers(self, namespace: str) -> bool:
        return not self.namespaces or any(fnmatchcase(namespace, pattern) for pattern in self.namespaces)

    def selects(self, labels: Labels) -> bool:
        return all(labels.get(key) == value for key, value in self.labels.items())


class Policy:
    """Overrides for everything, then rules in their order: a later one wins."""

    def __init__(self, checks: Mapping[str, Override] | None = None, rules: Sequence[Rule] = ()) -> None:
        self._checks = checks or {}
        self._rules = tuple(rules)
        self._ladders: dict[str, _Ladder] = {}

    @property
    def uses_labels(self) -> bool:
        """Whether any rule selects by labels. If none does, objects of one kind and namespace get the same answers."""
        return any(rule.labels for rule in self._rules)

    def effective(self, check: Check[Any, Any], namespace: str = "", labels: Labels = NO_LABELS) -> Effective:
        """What holds for an object of the check's kind. Labels are looked at only where a rule selects by them."""
        ladder = self._ladders.get(check.code)
        if ladder is None:
            ladder = self._ladders[check.code] = self._ladder(check)
        return ladder.base if not ladder.rules else ladder.effective(namespace, labels)

    def _ladder(self, check: Check[Any, Any]) -> "_Ladder":
        base = Effective(enabled=True, severity=None, weight=check.weight, thresholds=check.thresholds)
        override = self._checks.get(check.code)
        return _Ladder(
            code=check.code,
            base=base if override is None else override.over(base),
            rules=tuple(rule for rule in self._rules if rule.may_concern(check)),
        )


class _Ladder:
    """The rules that may concern one check, and what their combinations make of it."""

    def __init__(self, *, code: str, base: Effective, rules: tuple[Rule, ...]) -> None:
        self.base = base
        self.rules = rules
        self._code = code
        self._covering: dict[str, tuple[int, ...]] = {}  # by namespace
        self._made: dict[tuple[int, ...], Effective] = {(): base}

    def effective(self, namespace: str, labels: Labels) -> Effective:
        covering = self._covering.get(namespace)
        if covering is None:
            covering = tuple(n for n, rule in enumerate(self.rules) if rule.covers(namespace))
            self._covering[namespace] = covering
        matching = tuple([n for n in covering if not self.rules[n].labels or self.rules[n].selects(labels)])
        made = self._made.get(matching)
        return self._make(matching) if made is None else made

    def _make(self, matching: tuple[int, ...]) -> Effective:
        made = self.base
        for n in matching:
            made = self.rules[n].checks[self._code].over(made)
        self._made[matching] = made
        return made


def _with_values(defaults: T, values: Mapping[str, Any]) -> T:
    """A copy of a frozen dataclass with some values changed."""
    if not values:
        return defaults
    hints = get_type_hints(type(defaults))
    changes = {name: _changed(getattr(defaults, name), value, hints[name]) for name, value in values.items()}
    return dataclasses.replace(defaults, **changes)  # type: ignore[type-var]


def _changed(current: Any, value: Any, annotation: Any) -> Any:
    """Mappings, whose values are dataclasses, are merged by entry, and None drops one. Everything else is replaced."""
    if isinstance(current, tuple):
        return tuple(value)
    if not isinstance(current, Mapping):
        return value
    entry_type = get_args(annotation)[1]
    merged = dict(current)
    for key, entry in value.items():
        if entry is None:
            merged.pop(key, None)
        else:
            merged[key] = _with_values(merged.get(key) or entry_type(), entry)
    return merged


DEFAULT_POLICY = Policy()
