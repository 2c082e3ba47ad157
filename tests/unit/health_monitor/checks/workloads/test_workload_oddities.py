"""No workload check fails on an object of which next to nothing is known."""

from typing import Any

import pytest
from tests.support.checks import seen
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_snapshot

from common.cluster.rows import (
    CronJobRow,
    DaemonSetRow,
    DeploymentRow,
    HorizontalPodAutoscalerRow,
    JobRow,
    PersistentVolumeClaimRow,
    PersistentVolumeRow,
    PodDisruptionBudgetRow,
    Row,
    Selector,
    ServiceRow,
    StatefulSetRow,
)
from health_monitor.checks.check import Check
from health_monitor.checks.workloads import WORKLOAD_CHECKS

BARE: dict[str, Any] = {"uid": "1", "name": "bare", "labels": {}, "annotations": {}}
SELECTING = BARE | {"selector": Selector(labels={})}


def saying(type_: str, status: str) -> dict[str, Any]:
    return {"conditions": (a_condition(type_, status, changed_at=None),)}


ROWS: list[Row] = [
    DeploymentRow(**SELECTING, replicas=3),
    DeploymentRow(**SELECTING, replicas=1, **saying("Progressing", "False")),
    DeploymentRow(**SELECTING, replicas=1, **saying("ReplicaFailure", "True")),
    StatefulSetRow(**SELECTING, replicas=3, revision="b", current_revision="a"),
    DaemonSetRow(**SELECTING, replicas=3),
    JobRow(**BARE, **saying("Failed", "True")),
    CronJobRow(**BARE, last_scheduled_at=NOON),
    CronJobRow(**BARE, last_scheduled_at=NOON, schedule="* * * * *"),
    HorizontalPodAutoscalerRow(**BARE, **saying("ScalingActive", "False")),
    HorizontalPodAutoscalerRow(**BARE, **saying("ScalingLimited", "True")),
    PodDisruptionBudgetRow(**SELECTING),
    PodDisruptionBudgetRow(**SELECTING, expected_pods=1, current_healthy=1),
    *(PersistentVolumeClaimRow(**BARE, phase=phase) for phase in ("", "Pending", "Lost")),
    *(PersistentVolumeRow(**BARE, phase=phase) for phase in ("", "Released", "Failed")),
    ServiceRow(**BARE),
    ServiceRow(**BARE, selector={"app": "checkout"}),
]


@pytest.mark.parametrize("check", WORKLOAD_CHECKS, ids=lambda check: check.code)
def test_no_check_fails_on_a_bare_object(check: Check[Any, Any]) -> None:
    rows = [row for row in ROWS if row.kind == check.kind]
    assert rows
    for row in rows:
        assert all(symptom.message for symptom in seen(check, row, a_snapshot(row)))
