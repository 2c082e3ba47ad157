"""What conditions say: pressure, the network, and what node-problem-detector and clouds add."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_node, a_snapshot

from common.cluster.rows import Condition
from common.contracts import Severity
from health_monitor.checks.check import Symptom
from health_monitor.checks.nodes import (
    node_condition,
    node_disk_pressure,
    node_memory_pressure,
    node_network_unavailable,
    node_pid_pressure,
)
from health_monitor.checks.nodes.node_condition import OTHERS, ConditionRule, Thresholds

BUILT_IN = [
    (node_disk_pressure, "DiskPressure", "runs out of disk space"),
    (node_memory_pressure, "MemoryPressure", "runs out of memory"),
    (node_pid_pressure, "PIDPressure", "runs out of process ids"),
    (node_network_unavailable, "NetworkUnavailable", "network of the node is not set up"),
]


def run(module: Any, *conditions: Condition, thresholds: Any = None) -> list[Symptom]:
    node = a_node(conditions=(a_condition("Ready"), *conditions))
    return list(module.CHECK.run(node, a_snapshot(node), thresholds or module.CHECK.thresholds, NOON))


@pytest.mark.parametrize(("module", "type_", "words"), BUILT_IN, ids=[type_ for _, type_, _ in BUILT_IN])
def test_a_built_in_condition_counts_only_while_it_is_true(module: Any, type_: str, words: str) -> None:
    assert run(module) == [], "absent"
    assert run(module, a_condition(type_, "False")) == []
    assert run(module, a_condition(type_, "Unknown")) == [], "then the whole node is unknown"
    (symptom,) = run(module, a_condition(type_, "True", changed_at=NOON, reason="Why", message="because"))
    assert words in symptom.message
    assert symptom.message.endswith(": because")
    assert (symptom.since, symptom.after) == (NOON, module.CHECK.thresholds.after)
    assert symptom.evidence == {"condition": type_, "reason": "Why"}


@pytest.mark.parametrize(("module", "type_", "words"), BUILT_IN, ids=[type_ for _, type_, _ in BUILT_IN])
def test_a_condition_without_words_still_makes_a_sentence(module: Any, type_: str, words: str) -> None:
    (symptom,) = run(module, a_condition(type_))
    assert symptom.message.endswith(words) or words in symptom.message
    assert not symptom.message.endswith(": ")


@pytest.mark.parametrize(
    ("condition", "severity"),
    [
        pytest.param(a_condition("KernelDeadlock"), Severity.CRITICAL, id="a kernel deadlock"),
        pytest.param(a_condition("ReadonlyFilesystem"), Severity.CRITICAL, id="a file system gone read-only"),
        pytest.param(
            a_condition("FrequentKubeletRestart"), Severity.WARNING, id="a kubelet that restarts and restarts"
        ),
        pytest.param(a_condition("StorageReady", "False"), Severity.CRITICAL, id="EKS: bad when False"),
        pytest.param(a_condition("KernelDeadlock", "False"), None, id="no deadlock"),
        pytest.param(a_condition("KernelDeadlock", "Unknown"), None, id="the detector does not know"),
        pytest.param(a_condition("StorageReady", "True"), None, id="EKS: good when True"),
        pytest.param(a_condition("EtcdIsVoter"), None, id="a condition that no rule is about"),
        pytest.param(a_condition("DiskPressure"), None, id="a built-in one has its own check"),
    ],
)
def test_known_conditions_of_others(condition: Condition, severity: Severity | None) -> None:
    symptoms = run(node_condition, condition)
    assert [symptom.severity for symptom in symptoms] == ([severity] if severity else [])
    assert [symptom.part for symptom in symptoms] == ([condition.type] if severity else [])


def test_each_bad_condition_is_a_finding_of_its_own() -> None:
    symptoms = run(node_condition, a_condition("KernelDeadlock", message="task hung"), a_condition("NTPProblem"))
    assert [symptom.message for symptom in symptoms] == [
        "The node's condition KernelDeadlock is True: task hung",
        "The node's condition NTPProblem is True",
    ]


def test_a_rule_can_wait_and_a_star_speaks_for_the_rest() -> None:
    slow = ConditionRule(after=timedelta(minutes=5), severity=Severity.INFO)
    thresholds = Thresholds({"Mine": slow, OTHERS: ConditionRule(bad="False")})
    symptoms = run(
        node_condition,
        a_condition("Mine"),
        a_condition("Other", "False"),
        a_condition("Fine", "True"),
        thresholds=thresholds,
    )
    assert [(symptom.part, symptom.after, symptom.severity) for symptom in symptoms] == [
        ("Mine", timedelta(minutes=5), Severity.INFO),
        ("Other", timedelta(0), Severity.WARNING),
    ]
