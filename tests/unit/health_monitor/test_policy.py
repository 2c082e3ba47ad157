"""A policy as a value: what wins, what is looked at, and what is cached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.policy import DEFAULT_POLICY, Override, Policy, Rule


@dataclass(frozen=True)
class Entry:
    size: int = 1
    colour: str = "red"


@dataclass(frozen=True)
class Thresholds:
    after: timedelta = timedelta(minutes=5)
    ratio: float = 0.9
    entries: Mapping[str, Entry] = field(default_factory=lambda: {"known": Entry(size=7)})


def a_check(code: str = "pod-example", kind: str = "Pod") -> Check[Any, Any]:
    return Check(
        code=code,
        title="Example",
        kind=kind,
        severity=Severity.WARNING,
        summary="An example.",
        run=lambda *_: (),
        thresholds=Thresholds(),
    )


CHECK = a_check()


def a_rule(override: Override, **matchers: Any) -> Rule:
    return Rule(checks={CHECK.code: override}, **matchers)


def test_without_a_policy_the_check_says_everything() -> None:
    effective = DEFAULT_POLICY.effective(CHECK, "shop")
    assert effective.enabled
    assert effective.severity is None
    assert effective.weight is None
    assert effective.thresholds is CHECK.thresholds


def test_an_override_changes_what_it_names_and_leaves_the_rest() -> None:
    policy = Policy({CHECK.code: Override(severity=Severity.INFO, weight=0.0, thresholds={"ratio": 0.5})})
    effective = policy.effective(CHECK, "shop")
    assert (effective.enabled, effective.severity, effective.weight) == (True, Severity.INFO, 0.0)
    assert effective.thresholds == Thresholds(ratio=0.5)
    assert policy.effective(a_check("pod-other"), "shop").severity is None


OFF = Override(enabled=False)


@pytest.mark.parametrize(
    ("matchers", "namespace", "labels", "applies"),
    [
        pytest.param({}, "shop", {}, True, id="a rule without matchers applies to all"),
        pytest.param({"namespaces": ("shop",)}, "shop", {}, True, id="a namespace by its name"),
        pytest.param({"namespaces": ("shop",)}, "shop-2", {}, False, id="a name is not a beginning"),
        pytest.param({"namespaces": ("dev-*", "shop")}, "dev-1", {}, True, id="one of several patterns is enough"),
        pytest.param({"namespaces": ("*",)}, "", {}, True, id="a star matches also objects without namespace"),
        pytest.param({"labels": {"team": "a"}}, "shop", {"team": "a", "tier": "x"}, True, id="a label among others"),
        pytest.param({"labels": {"team": "a"}}, "shop", {"team": "b"}, False, id="another value of the label"),
        pytest.param({"labels": {"team": "a"}}, "shop", {}, False, id="the label is missing"),
        pytest.param({"labels": {"team": "a", "tier": "x"}}, "shop", {"team": "a"}, False, id="all labels must match"),
        pytest.param({"namespaces": ("shop",), "labels": {"team": "a"}}, "dev", {"team": "a"}, False, id="and, not or"),
        pytest.param({"kinds": frozenset({"Pod"})}, "shop", {}, True, id="the kind of the check"),
        pytest.param({"kinds": frozenset({"Node"})}, "shop", {}, False, id="another kind"),
    ],
)
def test_a_rule_applies_where_all_its_matchers_do(
    matchers: dict[str, Any], namespace: str, labels: dict[str, str], applies: bool
) -> None:
    policy = Policy(rules=[a_rule(OFF, **matchers)])
    assert policy.effective(CHECK, namespace, labels).enabled is not applies


def test_later_rules_win_over_earlier_ones_and_over_the_general_override() -> None:
    policy = Policy(
        {CHECK.code: Override(severity=Severity.INFO, thresholds={"ratio": 0.1, "after": timedelta(seconds=1)})},
        [
            a_rule(Override(severity=Severity.CRITICAL, thresholds={"ratio": 0.2})),
            a_rule(Override(severity=Severity.WARNING), namespaces=("shop",)),
        ],
    )
    assert policy.effective(CHECK, "dev").severity is Severity.CRITICAL
    shop = policy.effective(CHECK, "shop")
    assert shop.severity is Severity.WARNING
    assert shop.thresholds == Thresholds(ratio=0.2, after=timedelta(seconds=1))


def test_a_later_rule_can_enable_again() -> None:
    policy = Policy(rules=[a_rule(OFF), a_rule(Override(enabled=True), namespaces=("prod",))])
    assert not policy.effective(CHECK, "dev").enabled
    assert policy.effective(CHECK, "prod").enabled


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"known": {"colour": "blue"}}, {"known": Entry(7, "blue")}, id="a known entry keeps the rest"),
        pytest.param({"new": {"size": 3}}, {"known": Entry(7), "new": Entry(3)}, id="a new entry gets the defaults"),
        pytest.param({"known": None}, {}, id="null drops an entry"),
        pytest.param({"unknown": None}, {"known": Entry(7)}, id="dropping what is not there is no harm"),
    ],
)
def test_mappings_are_merged_by_entry(change: dict[str, Any], expected: dict[str, Entry]) -> None:
    policy = Policy({CHECK.code: Override(thresholds={"entries": change})})
    assert policy.effective(CHECK).thresholds.entries == expected
    assert CHECK.thresholds.entries == {"known": Entry(7)}


def test_a_policy_knows_whether_labels_matter() -> None:
    assert not Policy(rules=[a_rule(OFF, namespaces=("shop",))]).uses_labels
    assert Policy(rules=[a_rule(OFF), a_rule(OFF, labels={"team": "a"})]).uses_labels


def test_the_same_answer_is_the_same_object() -> None:
    policy = Policy(rules=[a_rule(OFF, labels={"team": "a"}), a_rule(Override(weight=1.0), namespaces=("shop",))])
    first = policy.effective(CHECK, "shop", {"team": "a", "pod": "1"})
    assert policy.effective(CHECK, "shop", {"team": "a", "pod": "2"}) is first
    assert policy.effective(CHECK, "dev", {}) is policy.effective(CHECK, "test", {})
    assert policy.effective(CHECK, "dev", {}) is not first
