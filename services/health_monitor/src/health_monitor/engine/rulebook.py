"""Which checks are run on an object, and with which thresholds: the checks of its kind under the policy, kept ready."""

from collections.abc import Iterable, Sequence
from typing import Any

from common.cluster.rows import Labels
from common.contracts import ObjectKey
from health_monitor.checks.check import SOURCES, Check
from health_monitor.engine.agenda import Kinds
from health_monitor.engine.evaluate import Rule
from health_monitor.policy import Policy


class Rules:
    """The rules for some objects, and the parts of them that read certain kinds."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._reading: dict[frozenset[str], tuple[Rule, ...]] = {}

    def reading(self, kinds: Kinds) -> tuple[Rule, ...]:
        if kinds is None:
            return self.rules
        found = self._reading.get(kinds)
        if found is None:
            found = self._reading[kinds] = tuple(rule for rule in self.rules if rule.check.reads & kinds)
        return found


class Rulebook:
    """All checks under one policy. Objects of one kind and namespace share rules, unless the policy asks for labels."""

    def __init__(self, checks: Sequence[Check[Any, Any]], policy: Policy) -> None:
        self._policy = policy
        self._uses_labels = policy.uses_labels
        self._by_kind: dict[str, list[Check[Any, Any]]] = {}
        for check in checks:
            self._by_kind.setdefault(check.kind, []).append(check)
        self._by_namespace: dict[tuple[str, str], Rules] = {}
        self._by_effective: dict[tuple[object, ...], Rules] = {}
        self._sources_within: dict[tuple[str, str], tuple[frozenset[str], ...]] = {}

    @property
    def kinds(self) -> frozenset[str]:
        """Of all subjects."""
        return frozenset(self._by_kind)

    def rules(self, kind: str, namespace: str, labels: Labels) -> Rules:
        if self._uses_labels:
            return self._combined(kind, namespace, labels)
        rules = self._by_namespace.get((kind, namespace))
        if rules is None:
            rules = self._by_namespace[(kind, namespace)] = self._combined(kind, namespace, labels)
        return rules

    def sources_within(self, key: ObjectKey) -> tuple[frozenset[str], ...]:
        """What each rule rests on that makes the object's score: its own rules and those of what counts in it."""
        place = (key.kind, key.namespace)
        found = self._sources_within.get(place)
        if found is None:
            kinds = sorted(_kinds_within(key.kind, self.kinds))
            rules = (rule for kind in kinds for rule in self.rules(kind, key.namespace, {}).rules)
            found = self._sources_within[place] = tuple(rule.kinds for rule in rules)
        return found

    def _combined(self, kind: str, namespace: str, labels: Labels) -> Rules:
        """The policy hands out the same object for the same answer, and keeps it: its identity names the answer."""
        checks = self._by_kind.get(kind, [])
        effective = [self._policy.effective(check, namespace, labels) for check in checks]
        name = (kind, *map(id, effective))
        rules = self._by_effective.get(name)
        if rules is None:
            rules = self._by_effective[name] = Rules(
                Rule(
                    check=check,
                    run=check.run,
                    thresholds=found.thresholds,
                    severity=found.severity,
                    weight=found.weight,
                    kinds=(check.reads | {check.kind}) - {SOURCES},
                )
                for check, found in zip(checks, effective, strict=True)
                if found.enabled
            )
        return rules


def _kinds_within(kind: str, kinds: frozenset[str]) -> frozenset[str]:
    match kind:
        case "Cluster":
            return kinds
        case "Zone":
            return kinds & {"Zone", "Node"}
        case "Namespace":
            return kinds - {"Zone", "Node", "Cluster", "PersistentVolume"}
        case "CronJob":
            return kinds & {"CronJob", "Job", "Pod"}
        case "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job":
            return kinds & {kind, "Pod"}
        case _:
            return kinds & {kind}
