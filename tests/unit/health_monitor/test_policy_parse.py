"""From the text of a policy file to a policy, or to all its mistakes."""

from datetime import timedelta

import pytest

from common.contracts import Severity
from common.policy.mistakes import PolicyError
from common.policy.shape import format_duration, parse_duration
from health_monitor.checks import CHECKS_BY_CODE
from health_monitor.policy.parse import parse_policy

CPU = CHECKS_BY_CODE["node-cpu-high"]
CONDITION = CHECKS_BY_CODE["node-condition"]


def test_a_whole_file() -> None:
    policy = parse_policy("""
version: 1
checks:
  node-cpu-high:
    severity: critical
    weight: 3
    thresholds: {ratio: 0.8, after: 1h30m}
rules:
  - kinds: [Node]
    labels: {pool: batch}
    checks:
      node-cpu-high: {enabled: false}
""")
    effective = policy.effective(CPU)
    assert (effective.enabled, effective.severity, effective.weight) == (True, Severity.CRITICAL, 3)
    assert effective.thresholds.ratio == 0.8
    assert effective.thresholds.after == timedelta(minutes=90)
    assert not policy.effective(CPU, "", {"pool": "batch"}).enabled


@pytest.mark.parametrize(
    "text", ["version: 1", "{version: 1, checks: {}, rules: []}", "version: 1\nchecks:\n  node-cpu-high:"]
)
def test_a_file_that_changes_nothing(text: str) -> None:
    effective = parse_policy(text).effective(CPU)
    assert effective.thresholds is CPU.thresholds


def test_rules_of_node_conditions_are_merged_with_those_known() -> None:
    policy = parse_policy("""
version: 1
checks:
  node-condition:
    thresholds:
      conditions:
        KernelDeadlock: {after: 5m}
        NTPProblem: null
        GpuReady: {bad: False, severity: critical}
""")
    conditions = policy.effective(CONDITION).thresholds.conditions
    assert (conditions["KernelDeadlock"].severity, conditions["KernelDeadlock"].after) == (
        Severity.CRITICAL,
        timedelta(minutes=5),
    )
    assert "NTPProblem" not in conditions
    assert "ReadonlyFilesystem" in conditions
    assert conditions["GpuReady"].bad == "False", "an unquoted False is the word, too"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        pytest.param("", "must be a mapping with version, checks, rules", id="an empty file"),
        pytest.param("[]", "must be a mapping with version, checks, rules", id="a list"),
        pytest.param("checks: {}", "version: field required", id="no version"),
        pytest.param("version: 2", "version: should be 1, not 2", id="a version of the future"),
        pytest.param("version: 1\nversion: 1", "line 2: version is given twice; keep one", id="a key twice"),
        pytest.param("version: 1\n? [a]\n: 1", "line 2: a key must be a word", id="a key that is a list"),
        pytest.param(
            "version: [", "line 2, column 1: is no valid YAML: did not find expected node content", id="no YAML"
        ),
        pytest.param("version: 2026-99-99", "is no valid YAML: month must be in 1..12", id="an impossible date"),
        pytest.param("version: 1\nruls: []", "ruls: no such setting; did you mean rules?", id="a setting misspelt"),
        pytest.param(
            "{version: 1, checks: {node-cpu-hihg: {}}}",
            "checks.node-cpu-hihg: no such check; did you mean node-cpu-high?",
            id="a code misspelt",
        ),
        pytest.param(
            "{version: 1, checks: {node-cpu-high: {enabeld: true}}}",
            "checks.node-cpu-high.enabeld: no such setting; did you mean enabled?",
            id="a setting of a check misspelt",
        ),
        pytest.param(
            "{version: 1, checks: {node-cpu-high: {thresholds: {rate: 0.5}}}}",
            "checks.node-cpu-high.thresholds.rate: no such setting; did you mean ratio?",
            id="a threshold misspelt",
        ),
        pytest.param(
            "{version: 1, checks: {node-cpu-high: {thresholds: {memory: 0.5}}}}",
            "checks.node-cpu-high.thresholds.memory: no such setting; known are after, ratio",
            id="a threshold of another check",
        ),
        pytest.param(
            "{version: 1, checks: {node-cpu-high: {thresholds: {after: 300}}}}",
            "checks.node-cpu-high.thresholds.after: must be a duration such as 90s, 5m, 1h30m or 2d, with its unit, "
            "not 300",
            id="a duration without unit",
        ),
        pytest.param(
            "{version: 1, checks: {node-cpu-high: {thresholds: {ratio: 90}}}}",
            "checks.node-cpu-high.thresholds.ratio: should be less than or equal to 2, not 90",
            id="percent where a ratio is asked for",
        ),
        pytest.param(
            "{version: 1, checks: {node-cpu-high: {severity: fatal}}}",
            "checks.node-cpu-high.severity: should be 'info', 'warning' or 'critical', not 'fatal'",
            id="an unknown severity",
        ),
        pytest.param(
            "{version: 1, checks: {node-cpu-high: {weight: -1}}}",
            "checks.node-cpu-high.weight: should be greater than or equal to 0, not -1",
            id="a negative weight",
        ),
        pytest.param(
            "{version: 1, checks: {node-cpu-high: {enabled: 'no'}}}",
            "checks.node-cpu-high.enabled: should be a valid boolean, not 'no'",
            id="a quoted boolean",
        ),
        pytest.param("{version: 1, rules: [{}]}", "rules[0].checks: field required", id="a rule without checks"),
        pytest.param(
            "{version: 1, rules: [{kinds: [Nod], checks: {}}]}",
            "rules[0].kinds[0]: no check is about Nod; did you mean Node?",
            id="an unknown kind",
        ),
        pytest.param(
            "{version: 1, rules: [{kinds: [Zone], checks: {node-cpu-high: {}}}]}",
            "rules[0].checks.node-cpu-high: is about kind Node, which is not among the kinds of this rule",
            id="a check of another kind",
        ),
        pytest.param(
            "{version: 1, rules: [{namespaces: [shop], checks: {node-cpu-high: {}}}]}",
            "rules[0].checks.node-cpu-high: is about kind Node, which has no namespace: use a rule without namespaces",
            id="a node in a namespace",
        ),
        pytest.param(
            "{version: 1, rules: [{labels: {a: b}, checks: {cluster-api-slow: {}}}]}",
            "rules[0].checks.cluster-api-slow: is about kind Cluster, which has no labels: use a rule without labels",
            id="labels of the cluster",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_way_out(text: str, mistake: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(text)
    assert [str(found) for found in error.value.mistakes] == [mistake]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy("""
version: 3
checks:
  node-cpu-hgh: {}
  node-cpu-high: {weight: 200, thresholds: {after: soon}}
rules:
  - namespace: shop
    checks: {}
""")
    assert {mistake.path for mistake in error.value.mistakes} == {
        "version",
        "checks.node-cpu-hgh",
        "checks.node-cpu-high.weight",
        "checks.node-cpu-high.thresholds.after",
        "rules[0].namespace",
    }


def test_thousands_of_brackets_are_a_mistake_and_no_crash() -> None:
    with pytest.raises(PolicyError):
        parse_policy("[" * 100_000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("1d2h3m4s", 93_784), ("0m", 0)],
)
def test_durations_are_read_and_written(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 m", "-5m", "1.5h", "30m1h", "5M", "5m\n", "9999d", "1000000s", None, True, 5.0]
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_duration(text)
