"""How full the node is: used, requested, promised, and how many pods."""

from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_container, a_node, a_pod, a_snapshot, a_usage

from common.cluster.rows import Resources, Usage
from common.cluster.store import Store
from health_monitor.checks.check import Symptom
from health_monitor.checks.nodes import (
    node_allocation_high,
    node_cpu_high,
    node_limits_overcommitted,
    node_memory_high,
    node_pods_high,
)

GIB = 1 << 30
NODE = a_node(allocatable=Resources(cpu_millicores=1000, memory_bytes=10 * GIB, pods=10))
NOTHING_ALLOCATABLE = a_node(allocatable=Resources())
NONE = Resources()


def run(module: Any, snapshot: Store, node: Any = NODE) -> list[Symptom]:
    return list(module.CHECK.run(node, snapshot, module.CHECK.thresholds, NOON))


def used(usage: Usage | None) -> Store:
    return a_snapshot(NODE, usage={NODE.key: usage} if usage else {})


@pytest.mark.parametrize(
    ("module", "usage", "message"),
    [
        pytest.param(node_cpu_high, a_usage(cpu_millicores=899), None, id="CPU just below"),
        pytest.param(
            node_cpu_high,
            a_usage(cpu_millicores=900),
            "The node uses 90 % of its allocatable CPU",
            id="CPU at the bound",
        ),
        pytest.param(
            node_cpu_high,
            a_usage(cpu_millicores=1050),
            "The node uses 105 % of its allocatable CPU",
            id="CPU above all",
        ),
        pytest.param(node_cpu_high, a_usage(memory_bytes=10 * GIB), None, id="memory is not CPU"),
        pytest.param(node_cpu_high, None, None, id="CPU is not measured"),
        pytest.param(node_memory_high, a_usage(memory_bytes=8 * GIB), None, id="memory below"),
        pytest.param(
            node_memory_high,
            a_usage(memory_bytes=int(9.5 * GIB)),
            "The node uses 95 % of its allocatable memory",
            id="memory above",
        ),
        pytest.param(node_memory_high, None, None, id="memory is not measured"),
    ],
)
def test_utilization(module: Any, usage: Usage | None, message: str | None) -> None:
    symptoms = run(module, used(usage))
    assert [symptom.message for symptom in symptoms] == ([message] if message else [])


def pods(count: int, requests: Resources = NONE, limits: Resources = NONE, **overrides: Any) -> Store:
    """A snapshot with `count` pods on the node that request and are limited to these amounts together."""
    first = a_pod("pod-0", containers=(a_container(requests=requests, limits=limits),), **overrides)
    rest = [
        a_pod(f"pod-{n}", containers=(a_container(requests=NONE, limits=NONE),), **overrides) for n in range(1, count)
    ]
    return a_snapshot(NODE, first, *rest)


@pytest.mark.parametrize(
    ("snapshot", "message"),
    [
        pytest.param(pods(9), None, id="nine of ten"),
        pytest.param(pods(10), "10 of the 10 pods that the node takes are on it (100 %)", id="full"),
        pytest.param(pods(10, phase="Succeeded"), None, id="finished pods take no place"),
    ],
)
def test_pod_count(snapshot: Store, message: str | None) -> None:
    assert [symptom.message for symptom in run(node_pods_high, snapshot)] == ([message] if message else [])


@pytest.mark.parametrize(
    ("requests", "parts"),
    [
        pytest.param(Resources(cpu_millicores=940, memory_bytes=9 * GIB), [], id="room is left"),
        pytest.param(Resources(cpu_millicores=950, memory_bytes=9 * GIB), ["cpu"], id="CPU is given away"),
        pytest.param(Resources(cpu_millicores=10, memory_bytes=10 * GIB), ["memory"], id="memory is given away"),
        pytest.param(Resources(cpu_millicores=1000, memory_bytes=10 * GIB), ["cpu", "memory"], id="both"),
    ],
)
def test_allocation(requests: Resources, parts: list[str]) -> None:
    assert [symptom.part for symptom in run(node_allocation_high, pods(1, requests=requests))] == parts


@pytest.mark.parametrize(
    ("limits", "parts"),
    [
        pytest.param(Resources(cpu_millicores=5000, memory_bytes=15 * GIB), [], id="as much as is allowed"),
        pytest.param(Resources(cpu_millicores=5001, memory_bytes=15 * GIB), ["cpu"], id="CPU promised five times"),
        pytest.param(Resources(cpu_millicores=5000, memory_bytes=16 * GIB), ["memory"], id="too much memory promised"),
    ],
)
def test_overcommitted_limits(limits: Resources, parts: list[str]) -> None:
    assert [symptom.part for symptom in run(node_limits_overcommitted, pods(1, limits=limits))] == parts


def test_the_figures_are_in_the_message_and_the_evidence() -> None:
    (allocation,) = run(node_allocation_high, pods(1, requests=Resources(cpu_millicores=970)))
    assert allocation.message == "The pods on the node request 97 % of its allocatable CPU"
    assert allocation.evidence == {"requested_percent": 97}
    (limits,) = run(node_limits_overcommitted, pods(1, limits=Resources(memory_bytes=20 * GIB)))
    assert limits.message == "The memory limits of the pods on the node add up to 200 % of what it can allocate"


@pytest.mark.parametrize(
    "module", [node_cpu_high, node_memory_high, node_pods_high, node_allocation_high, node_limits_overcommitted]
)
def test_a_node_that_does_not_say_what_it_has_is_not_judged(module: Any) -> None:
    snapshot = a_snapshot(NOTHING_ALLOCATABLE, a_pod(), usage={NODE.key: a_usage()})
    assert run(module, snapshot, NOTHING_ALLOCATABLE) == []


@pytest.mark.parametrize(
    "module", [node_cpu_high, node_memory_high, node_pods_high, node_allocation_high, node_limits_overcommitted]
)
def test_an_ordinary_node_is_well(module: Any) -> None:
    assert run(module, a_snapshot(NODE, a_pod(), usage={NODE.key: a_usage()})) == []
