"""What every check says of an object: a row or a test for each verdict."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Never

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_lease, a_node, a_snapshot

from common.cluster.rows import NodeRow
from common.cluster.snapshot import SourceState
from common.contracts import ObjectKey
from health_monitor.checks import CHECKS
from health_monitor.engine.engine import Engine
from health_monitor.policy import DEFAULT_POLICY, Policy
from health_monitor.policy.parse import parse_policy
from health_monitor.view.explain import CheckAnswer, Verdict, explain

PRESSURE = (a_condition("Ready"), a_condition("DiskPressure", "True"))
MUTE = {"k8s-health-checker/mute": "node-disk-pressure"}
OFF = parse_policy("{version: 1, checks: {node-disk-pressure: {enabled: false}}}")
STRICT = parse_policy("{version: 1, checks: {node-cordoned: {thresholds: {after: 2h}}}}")


def an_engine(
    node: NodeRow, *, sources: dict[str, SourceState] | None = None, policy: Policy = DEFAULT_POLICY
) -> Engine:
    engine = Engine(a_snapshot(node, a_lease(node.name), sources=sources), policy)
    engine.start()
    engine.work(NOON)
    return engine


def answer_of(engine: Engine, key: ObjectKey, code: str, *, after: timedelta = timedelta(0)) -> CheckAnswer:
    explanation = explain(engine, key.ref(), NOON + after, runbook="r/{code}")
    assert explanation is not None
    return next(each for each in explanation.checks if each.code == code)


@pytest.mark.parametrize(
    ("node", "code", "verdict"),
    [
        pytest.param({"conditions": PRESSURE}, "node-disk-pressure", Verdict.FIRED, id="a condition that is there"),
        pytest.param({}, "node-disk-pressure", Verdict.SILENT, id="nothing is there"),
        pytest.param(
            {"conditions": PRESSURE, "annotations": MUTE}, "node-disk-pressure", Verdict.MUTED, id="muted by annotation"
        ),
        pytest.param({"unschedulable": True}, "node-cordoned", Verdict.WAITING, id="there, but not for long enough"),
    ],
)
def test_verdict_on_a_node(node: dict[str, Any], code: str, verdict: Verdict) -> None:
    row = a_node(**node)

    assert answer_of(an_engine(row), row.key, code).verdict is verdict


def test_a_check_that_fired_tells_the_points_it_takes_and_the_runbook() -> None:
    row = a_node(conditions=PRESSURE)
    answer = answer_of(an_engine(row), row.key, "node-disk-pressure")

    assert answer.symptoms[0].becomes_finding_at is None
    assert answer.symptoms[0].points > 0
    assert answer.runbook == "r/node-disk-pressure"


def test_a_check_that_waits_tells_until_when_and_under_which_thresholds() -> None:
    row = a_node(unschedulable=True)
    answer = answer_of(an_engine(row, policy=STRICT), row.key, "node-cordoned")

    assert answer.symptoms[0].becomes_finding_at == answer.symptoms[0].since + timedelta(hours=2)
    threshold = next(each for each in answer.thresholds if each.name == "after")
    assert threshold.value == "2h"
    assert threshold.default != "2h"


def test_a_check_that_the_policy_turned_off_says_so() -> None:
    row = a_node(conditions=PRESSURE)

    assert answer_of(an_engine(row, policy=OFF), row.key, "node-disk-pressure").verdict is Verdict.DISABLED


def test_a_check_whose_data_is_missing_is_blind_and_names_it() -> None:
    row = a_node()
    engine = an_engine(row, sources={"NodeUsage": SourceState.UNSEEN})
    answer = answer_of(engine, row.key, "node-cpu-high")
    explanation = explain(engine, row.key.ref(), NOON, runbook="")

    assert answer.verdict is Verdict.BLIND
    assert answer.not_seen == ("NodeUsage",)
    assert explanation is not None
    assert explanation.not_seen == ("NodeUsage",)
    assert explanation.score.confidence < 1
    assert explanation.score.value == 100


def test_a_finding_whose_symptom_went_is_fading_until_that_is_believed() -> None:
    row = a_node(conditions=PRESSURE)
    store = a_snapshot(row)
    engine = Engine(store)
    engine.start()
    engine.work(NOON)
    change = store.apply(a_node(resource_version="2"))
    assert change is not None
    engine.apply([change], NOON + timedelta(seconds=1))

    assert answer_of(engine, row.key, "node-disk-pressure", after=timedelta(seconds=1)).verdict is Verdict.FADING


def test_a_check_that_raises_has_failed() -> None:
    row = a_node()
    broken = replace(next(check for check in CHECKS if check.code == "node-disk-pressure"), run=_raise)
    engine = Engine(a_snapshot(row), checks=(broken,))
    engine.start()
    engine.work(NOON)

    assert answer_of(engine, row.key, "node-disk-pressure").verdict is Verdict.FAILED


def test_every_check_of_the_kind_is_answered_for() -> None:
    row = a_node()
    explanation = explain(an_engine(row), row.key.ref(), NOON, runbook="")

    assert explanation is not None
    assert [each.code for each in explanation.checks] == [check.code for check in CHECKS if check.kind == "Node"]


def test_what_does_not_exist_has_no_explanation() -> None:
    assert explain(an_engine(a_node()), ObjectKey("Node", "", "gone").ref(), NOON, runbook="") is None


def _raise(*_: object) -> Never:
    raise LookupError


def test_a_mute_that_mutes_nothing_is_told() -> None:
    row = a_node(annotations={"k8s-health-checker/mute": "node-cordond"})
    explanation = explain(an_engine(row), row.key.ref(), NOON, runbook="r/{code}")

    assert explanation is not None
    assert explanation.mute_mistakes == ("'node-cordond' in k8s-health-checker/mute: there is no check 'node-cordond'",)
