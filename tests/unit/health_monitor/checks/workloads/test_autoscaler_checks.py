"""Autoscalers that are blind or held back."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.checks import seen, told
from tests.support.clock import NOON
from tests.support.rows import a_condition, an_hpa

from common.cluster.rows import HorizontalPodAutoscalerRow
from health_monitor.checks.workloads import hpa_at_max, hpa_no_metrics

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def saying(type_: str, status: str, reason: str, ago: timedelta = timedelta(hours=1), **fields: Any) -> Any:
    return an_hpa(conditions=(a_condition(type_, status, reason=reason, changed_at=NOON - ago),), **fields)


def active(status: str, reason: str, ago: timedelta = timedelta(hours=1)) -> HorizontalPodAutoscalerRow:
    return saying("ScalingActive", status, reason, ago)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("hpa", "told_of"),
    [
        pytest.param(an_hpa(), False, id="reads its metrics"),
        pytest.param(an_hpa(conditions=()), False, id="has not said anything yet"),
        pytest.param(active("False", "FailedGetResourceMetric", 5 * MINUTE), True, id="no metrics for 5 minutes"),
        pytest.param(
            active("False", "FailedGetResourceMetric", 5 * MINUTE - SECOND), False, id="for not quite 5 minutes"
        ),
        pytest.param(active("False", "FailedGetExternalMetric"), True, id="no external metric"),
        pytest.param(active("False", "ScalingDisabled"), False, id="its target is scaled to zero"),
        pytest.param(active("Unknown", ""), False, id="nobody knows"),
    ],
)
def test_no_metrics(hpa: HorizontalPodAutoscalerRow, told_of: bool) -> None:
    assert bool(told([hpa_no_metrics.CHECK], hpa)) is told_of


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        pytest.param("FailedGetResourceMetric", "is metrics-server up", id="CPU or memory"),
        pytest.param("FailedGetContainerResourceMetric", "is metrics-server up", id="of one container"),
        pytest.param("FailedGetPodsMetric", "is the adapter that serves the metric up", id="a custom metric"),
    ],
)
def test_no_metrics_says_where_to_look(reason: str, words: str) -> None:
    (symptom,) = seen(hpa_no_metrics.CHECK, active("False", reason))
    assert symptom.message.startswith("Deployment checkout stays at 3 replicas whatever its load")
    assert reason in symptom.message
    assert words in symptom.message


@pytest.mark.parametrize(
    ("hpa", "told_of"),
    [
        pytest.param(
            saying("ScalingLimited", "True", "TooManyReplicas", 15 * MINUTE), True, id="held back for 15 minutes"
        ),
        pytest.param(saying("ScalingLimited", "True", "TooManyReplicas", 15 * MINUTE - SECOND), False, id="not quite"),
        pytest.param(saying("ScalingLimited", "True", "TooFewReplicas"), False, id="idle at its minimum"),
        pytest.param(
            an_hpa(current_replicas=10, desired_replicas=10), False, id="at its maximum, which is just what it needs"
        ),
        pytest.param(
            saying("ScalingLimited", "True", "TooManyReplicas", min_replicas=10), False, id="a fixed number, on purpose"
        ),
    ],
)
def test_held_back_at_the_maximum(hpa: HorizontalPodAutoscalerRow, told_of: bool) -> None:
    assert bool(told([hpa_at_max.CHECK], hpa)) is told_of


def test_held_back_tells_the_bounds() -> None:
    (symptom,) = seen(hpa_at_max.CHECK, saying("ScalingLimited", "True", "TooManyReplicas"))
    assert "needs more than the 10 replicas" in symptom.message
    assert symptom.evidence == {"target": "Deployment/checkout", "min_replicas": 2, "max_replicas": 10}
