"""Which alerts would keep Alertmanager from telling of another: the inhibition rules of its configuration. Pure.

https://prometheus.io/docs/alerting/latest/configuration/#inhibit_rule
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alert_service.routing.matchers import Matcher, all_match, matcher, parse_matchers
from common.policy.document import load
from common.policy.mistakes import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """While an alert fires that the sources match, those that the targets match and that agree with it are untold."""

    name: str
    sources: tuple[Matcher, ...]
    targets: tuple[Matcher, ...]
    equal: tuple[str, ...]

    def inhibitors_of(self, labels: Mapping[str, str]) -> tuple[Matcher, ...] | None:
        """What matches the alerts that would inhibit one with these labels; None when the rule is not about it. A label
        that both lack is equal."""
        if not all_match(self.targets, labels):
            return None
        return (*self.sources, *(matcher(name, labels.get(name, "")) for name in self.equal))


def inhibit_rules(configuration: str) -> tuple[InhibitRule, ...]:
    """Of Alertmanager's configuration, a YAML text. ValueError when it cannot be read."""
    try:
        read = load(configuration) or {}
        parts = read.get("inhibit_rules") or []
        return tuple(_rule(part, f"inhibit_rules[{number}]") for number, part in enumerate(parts))
    except (PolicyError, AttributeError, TypeError) as error:
        raise ValueError(f"Alertmanager's configuration cannot be read: {error}") from None


def _rule(part: Mapping[str, Any], place: str) -> InhibitRule:
    return InhibitRule(
        name=part.get("name") or place,
        sources=tuple(_side(part, "source")),
        targets=tuple(_side(part, "target")),
        equal=tuple(part.get("equal") or ()),
    )


def _side(part: Mapping[str, Any], side: str) -> Iterator[Matcher]:
    """In the form of today, and in the two from before matchers."""
    for text in part.get(f"{side}_matchers") or ():
        yield from parse_matchers(text)
    for name, value in (part.get(f"{side}_match") or {}).items():
        yield matcher(name, str(value))
    for name, value in (part.get(f"{side}_match_re") or {}).items():
        yield matcher(name, str(value), is_regex=True)
