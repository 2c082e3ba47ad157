"""A policy as plain values, written the way a policy file is."""

from collections.abc import Mapping
from typing import Any

from auto_healing.fault import FaultLevel
from auto_healing.policy import HealingPolicy, Match, Rule, Rung
from common.policy.shape import format_duration


def shown(policy: HealingPolicy) -> dict[str, Any]:
    """Everything that holds, defaults included. It can be given back as a policy file."""
    return {
        "version": policy.version,
        "mode": policy.mode.value,
        "approval_expires": format_duration(policy.approval_expires),
        **{
            name: getattr(policy, name).model_dump(mode="json", by_alias=True)
            for name in ("scope", "attribution", "promotion", "guards", "cleanup")
        },
        "rules": [_rule(rule) for rule in policy.rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return _given(
        {
            "name": rule.name,
            "mode": rule.mode and rule.mode.value,
            "match": _match(rule.match),
            "ladder": [_rung(rung) for rung in rule.ladder],
            "approval_expires": rule.approval_expires and format_duration(rule.approval_expires),
        }
    )


def _match(match: Match) -> dict[str, Any]:
    return _given(
        {
            "codes": sorted(match.codes),
            "severities": sorted(each.value for each in match.severities),
            "min_age": format_duration(match.min_age) if match.min_age else None,
            "at_least": dict(match.at_least),
            "levels": [level.value for level in FaultLevel if level in match.levels],
            "kinds": sorted(match.kinds),
            "namespaces": list(match.namespaces),
            "labels": dict(match.labels),
        }
    )


def _rung(rung: Rung) -> dict[str, Any]:
    times = {"timeout": format_duration(rung.timeout), "verify": format_duration(rung.verify)}
    return _given({"action": rung.action, "parameters": dict(rung.parameters)}) | times


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says nothing."""
    return {name: value for name, value in values.items() if value not in (None, [], {}, ())}
