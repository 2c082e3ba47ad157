"""Turns the text of a policy file into a policy, or names every mistake in it at once."""

from collections.abc import Iterator, Mapping
from typing import Any

from common.policy.document import read_document
from common.policy.mistakes import Mistake, PolicyError, nearest
from health_monitor.checks import CHECKS, CHECKS_BY_CODE
from health_monitor.policy import Override, Policy, Rule
from health_monitor.policy.schema import policy_model

NO_LABELS = frozenset({"Cluster", "Zone"})
NO_NAMESPACE = frozenset({"Cluster", "Zone", "Node", "Namespace", "PersistentVolume"})


def parse_policy(text: str) -> Policy:
    """The policy that a YAML text describes. Raises PolicyError with all its mistakes."""
    document = read_document(text, policy_model(), members={"checks": "check"})
    data = document.model_dump(exclude_unset=True, by_alias=True)
    mistakes = list(_unreachable(data))
    if mistakes:
        raise PolicyError(mistakes)
    return Policy(
        checks=_overrides(data.get("checks", {})),
        rules=[
            Rule(
                namespaces=tuple(rule.get("namespaces", ())),
                labels=rule.get("labels", {}),
                kinds=frozenset(rule.get("kinds", ())),
                checks=_overrides(rule["checks"]),
            )
            for rule in data.get("rules", ())
        ],
    )


def _overrides(checks: Mapping[str, Any]) -> dict[str, Override]:
    return {
        code: Override(**{name: value for name, value in entry.items() if value is not None})
        for code, entry in checks.items()
        if entry
    }


def _unreachable(data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Overrides in a rule that can match nothing."""
    known = {check.kind for check in CHECKS}
    for number, rule in enumerate(data.get("rules", ())):
        kinds = rule.get("kinds", ())
        for position, kind in enumerate(kinds):
            if kind not in known:
                yield Mistake(f"rules[{number}].kinds[{position}]", f"no check is about {kind}{nearest(kind, known)}")
        for code in rule["checks"]:
            kind, path = CHECKS_BY_CODE[code].kind, f"rules[{number}].checks.{code}"
            if kinds and kind not in kinds:
                yield Mistake(path, f"is about kind {kind}, which is not among the kinds of this rule")
            elif rule.get("namespaces") and kind in NO_NAMESPACE:
                yield Mistake(path, f"is about kind {kind}, which has no namespace: use a rule without namespaces")
            elif rule.get("labels") and kind in NO_LABELS:
                yield Mistake(path, f"is about kind {kind}, which has no labels: use a rule without labels")
