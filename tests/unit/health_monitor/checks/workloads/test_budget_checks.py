"""PodDisruptionBudgets that block, overlap or protect nothing."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.checks import seen, told
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_deployment, a_pdb, a_pod, a_snapshot, a_stateful_set

from common.cluster.rows import PodDisruptionBudgetRow, Row, Selector
from common.cluster.snapshot import SourceState
from health_monitor.checks.workloads import pdb_blocks_evictions, pdb_overlapping, pdb_selects_nothing

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def disallowed(ago: timedelta) -> tuple[Any, ...]:
    return (a_condition("DisruptionAllowed", "False", reason="InsufficientPods", changed_at=NOON - ago),)


# --- blocks every eviction


def blocking(**fields: Any) -> PodDisruptionBudgetRow:
    counts = {"min_available": "3", "disruptions_allowed": 0, "desired_healthy": 3}
    return a_pdb(**(counts | {"conditions": disallowed(15 * MINUTE)} | fields))


@pytest.mark.parametrize(
    ("pdb", "told_of"),
    [
        pytest.param(a_pdb(), False, id="lets one go"),
        pytest.param(blocking(), True, id="lets none go for 15 minutes, though all are healthy"),
        pytest.param(blocking(conditions=disallowed(15 * MINUTE - SECOND)), False, id="for not quite 15 minutes"),
        pytest.param(blocking(current_healthy=2), False, id="waits for a pod that is not healthy, as it should"),
        pytest.param(blocking(expected_pods=0, current_healthy=0), False, id="has no pods"),
        pytest.param(blocking(generation=2), False, id="was changed, and not looked at since"),
        pytest.param(blocking(deleted_at=NOON), False, id="deleted"),
    ],
)
def test_blocks_every_eviction(pdb: PodDisruptionBudgetRow, told_of: bool) -> None:
    assert bool(told([pdb_blocks_evictions.CHECK], pdb)) is told_of


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        pytest.param({}, "(minAvailable 3)", id="as many as there are"),
        pytest.param({"min_available": "", "max_unavailable": "0"}, "(maxUnavailable 0)", id="none may be away"),
    ],
)
def test_a_blocking_budget_names_its_rule(fields: dict[str, Any], rule: str) -> None:
    (symptom,) = seen(pdb_blocks_evictions.CHECK, blocking(**fields))
    assert rule in symptom.message
    assert symptom.message.startswith("All 3 pods are healthy, yet none may be evicted")


def test_a_budget_without_conditions_counts_from_when_it_is_first_seen() -> None:
    (symptom,) = seen(pdb_blocks_evictions.CHECK, blocking(conditions=()))
    assert (symptom.since, symptom.after) == (None, 15 * MINUTE)


# --- several on one pod


@pytest.mark.parametrize(
    ("others", "named"),
    [
        pytest.param([], "", id="alone"),
        pytest.param([a_pdb("all", selector={})], "", id="another one selects nothing"),
        pytest.param([a_pdb("other", selector={"app": "cart"})], "", id="another one selects other pods"),
        pytest.param([a_pdb("twin")], "twin", id="another one selects the same"),
        pytest.param([a_pdb("tier", selector={"tier": "web"})], "tier", id="another one selects one of its pods"),
        pytest.param(
            [a_pdb("twin"), a_pdb("all", selector=Selector(labels={}, everything=True))], "all, twin", id="two others"
        ),
        pytest.param([a_pdb("elsewhere", namespace="test")], "", id="another namespace has one like it"),
    ],
)
def test_several_budgets_on_one_pod(others: list[Row], named: str) -> None:
    pdb = a_pdb()
    pods = [a_pod("one"), a_pod("two", labels={"app": "checkout", "tier": "web"})]
    symptoms = seen(pdb_overlapping.CHECK, pdb, a_snapshot(pdb, *pods, *others))
    assert [symptom.evidence["other_budgets"] for symptom in symptoms] == ([named] if named else [])


def test_budgets_that_share_no_living_pod_do_not_overlap() -> None:
    pdb, twin = a_pdb(), a_pdb("twin")
    assert seen(pdb_overlapping.CHECK, pdb, a_snapshot(pdb, twin)) == []
    assert seen(pdb_overlapping.CHECK, pdb, a_snapshot(pdb, twin, a_pod(phase="Succeeded"))) == []
    deleted = a_pdb(deleted_at=NOON)
    assert seen(pdb_overlapping.CHECK, deleted, a_snapshot(deleted, twin, a_pod())) == []


# --- selects nothing


def empty(**fields: Any) -> PodDisruptionBudgetRow:
    counts = {"expected_pods": 0, "current_healthy": 0, "disruptions_allowed": 0}
    return a_pdb(**(counts | {"conditions": disallowed(15 * MINUTE)} | fields))


@pytest.mark.parametrize(
    ("pdb", "others", "told_of"),
    [
        pytest.param(empty(), [], True, id="no pod for 15 minutes"),
        pytest.param(empty(conditions=disallowed(15 * MINUTE - SECOND)), [], False, id="for not quite 15 minutes"),
        pytest.param(a_pdb(), [], False, id="the control plane expects pods"),
        pytest.param(empty(), [a_pod()], False, id="pods without a controller, which nobody expects"),
        pytest.param(empty(), [a_deployment(replicas=0)], False, id="a Deployment scaled to zero"),
        pytest.param(empty(), [a_stateful_set(replicas=0)], False, id="a StatefulSet scaled to zero"),
        pytest.param(empty(), [a_deployment(replicas=0, namespace="test")], True, id="scaled to zero elsewhere"),
        pytest.param(empty(), [a_deployment(replicas=1)], True, id="a Deployment that has none, but should"),
        pytest.param(empty(generation=2), [], False, id="not looked at by the control plane yet"),
        pytest.param(empty(deleted_at=NOON), [], False, id="deleted"),
    ],
)
def test_selects_nothing(pdb: PodDisruptionBudgetRow, others: list[Row], told_of: bool) -> None:
    assert bool(told([pdb_selects_nothing.CHECK], pdb, a_snapshot(pdb, *others))) is told_of


def test_a_budget_that_selects_nothing_says_what_it_looks_for() -> None:
    (symptom,) = seen(pdb_selects_nothing.CHECK, empty(selector={"b": "2", "a": "1"}))
    assert "selects no pod (a=1, b=2)" in symptom.message
    (symptom,) = seen(pdb_selects_nothing.CHECK, empty(selector={}, conditions=()))
    assert "its selector is empty" in symptom.message
    assert symptom.since is None


def test_when_pods_may_not_be_read_nothing_is_missed() -> None:
    pdb = empty()
    assert seen(pdb_selects_nothing.CHECK, pdb, a_snapshot(pdb, sources={"Pod": SourceState.UNSEEN})) == []
