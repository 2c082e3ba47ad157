"""Pods that have ended, or should have."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.checks import seen, told
from tests.support.clock import NOON
from tests.support.rows import DAY_AGO, a_condition, a_node, a_pod, a_snapshot, a_status

from common.cluster.rows import OwnerRef, PodRow
from common.contracts import Severity
from health_monitor.checks.pods import pod_evicted, pod_failed, pod_stuck_terminating

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
REPLICA_SET = OwnerRef(kind="ReplicaSet", name="checkout-7d4b9c", uid="1")
JOB = OwnerRef(kind="Job", name="import", uid="1")


def failed(ago: timedelta = MINUTE, **fields: Any) -> PodRow:
    status = a_status(ready=False, state="terminated", reason="Error", exit_code=2, finished_at=NOON - ago)
    return a_pod(**({"phase": "Failed", "ready": False, "statuses": (status,), "created_at": DAY_AGO} | fields))


def evicted(ago: timedelta = MINUTE, **fields: Any) -> PodRow:
    message = "The node was low on resource: memory."
    why = {"reason": "Evicted", "message": message, "statuses": (), "ready_changed_at": NOON - ago}
    return failed(**(why | fields))


@pytest.mark.parametrize(
    ("pod", "severity"),
    [
        pytest.param(failed(owner=REPLICA_SET), Severity.WARNING, id="failed just now"),
        pytest.param(failed(HOUR - SECOND, owner=REPLICA_SET), Severity.WARNING, id="failed not quite an hour ago"),
        pytest.param(
            failed(HOUR, owner=REPLICA_SET), Severity.INFO, id="replaced by its owner an hour ago: left behind"
        ),
        pytest.param(failed(20 * HOUR), Severity.WARNING, id="nobody replaces a pod without owner"),
        pytest.param(failed(deleted_at=NOON), None, id="deleted"),
        pytest.param(evicted(), None, id="evicted: told as that"),
        pytest.param(a_pod(phase="Succeeded"), None, id="succeeded"),
    ],
)
def test_failed(pod: PodRow, severity: Severity | None) -> None:
    symptoms = seen(pod_failed.CHECK, pod)
    assert [symptom.severity or pod_failed.CHECK.severity for symptom in symptoms] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("ago", "told_of"),
    [
        pytest.param(timedelta(days=1), True, id="a day old: left behind"),
        pytest.param(timedelta(days=1) - SECOND, False, id="younger: the Job's affair"),
    ],
)
def test_failed_pods_of_jobs(ago: timedelta, told_of: bool) -> None:
    pod = failed(ago, owner=JOB)
    assert bool(told([pod_failed.CHECK], pod)) is told_of
    assert [symptom.severity for symptom in seen(pod_failed.CHECK, pod)] == [Severity.INFO]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({}, "container app ended with exit code 2 (Error)", id="its container"),
        pytest.param(
            {"reason": "NodeShutdown", "message": "Pod was terminated"},
            "NodeShutdown: Pod was terminated",
            id="its node",
        ),
        pytest.param({"reason": "NodeAffinity"}, "NodeAffinity", id="a reason alone"),
        pytest.param({"statuses": ()}, "neither the pod nor its containers say why", id="nobody says"),
    ],
)
def test_why_it_failed(fields: dict[str, Any], words: str) -> None:
    (symptom,) = seen(pod_failed.CHECK, failed(**fields))
    assert symptom.message == f"The pod failed: {words}"
    assert symptom.evidence["ending"] == words


def test_a_failed_pod_counts_from_the_end_of_its_last_container() -> None:
    statuses = tuple(
        a_status(f"step-{n}", ready=False, state="terminated", exit_code=1, finished_at=NOON - n * MINUTE)
        for n in (3, 1, 2)
    )
    (symptom,) = seen(pod_failed.CHECK, failed(statuses=statuses))
    assert symptom.since == NOON - MINUTE


@pytest.mark.parametrize(
    ("pod", "severity"),
    [
        pytest.param(evicted(owner=REPLICA_SET), Severity.WARNING, id="evicted just now"),
        pytest.param(evicted(HOUR - SECOND, owner=REPLICA_SET), Severity.WARNING, id="not quite an hour ago"),
        pytest.param(evicted(HOUR, owner=REPLICA_SET), Severity.INFO, id="replaced by its owner: left behind"),
        pytest.param(evicted(20 * HOUR), Severity.WARNING, id="nobody replaces a pod without owner"),
        pytest.param(evicted(deleted_at=NOON), None, id="deleted"),
        pytest.param(failed(), None, id="failed otherwise"),
    ],
)
def test_evicted(pod: PodRow, severity: Severity | None) -> None:
    symptoms = seen(pod_evicted.CHECK, pod)
    assert [symptom.severity or pod_evicted.CHECK.severity for symptom in symptoms] == ([severity] if severity else [])


def test_an_eviction_names_the_node_and_what_it_lacked() -> None:
    (symptom,) = seen(pod_evicted.CHECK, evicted())
    assert symptom.message == "The pod was evicted by node node-1: The node was low on resource: memory."
    assert symptom.since == NOON - MINUTE


def test_an_eviction_that_says_little_is_told_with_what_there_is() -> None:
    (symptom,) = seen(pod_evicted.CHECK, evicted(message="", node="", ready_changed_at=None, started_at=None))
    assert symptom.message == "The pod was evicted by node (unknown): the node was short of memory, disk or process ids"
    assert symptom.since == DAY_AGO


# --- stuck terminating


@pytest.mark.parametrize(
    ("deleted_at", "told_of"),
    [
        pytest.param(NOON + 30 * SECOND, False, id="its grace period runs"),
        pytest.param(NOON - MINUTE, False, id="should be gone for a minute"),
        pytest.param(NOON - 2 * MINUTE + SECOND, False, id="not quite two minutes"),
        pytest.param(NOON - 2 * MINUTE, True, id="two minutes past its grace period"),
        pytest.param(None, False, id="not deleted"),
    ],
)
def test_stuck_terminating(deleted_at: Any, told_of: bool) -> None:
    assert bool(told([pod_stuck_terminating.CHECK], a_pod(deleted_at=deleted_at))) is told_of


@pytest.mark.parametrize(
    ("fields", "ready", "cause", "words"),
    [
        pytest.param({}, "True", "kubelet", "the kubelet of node node-1", id="its kubelet"),
        pytest.param(
            {"finalizers": ("shop.example/drain",)}, "True", "finalizers", "shop.example/drain", id="a finalizer"
        ),
        pytest.param({"finalizers": ("a",)}, "Unknown", "node", "node-1 is not ready", id="its node, whatever else"),
    ],
)
def test_why_it_is_stuck(fields: dict[str, Any], ready: str, cause: str, words: str) -> None:
    pod = a_pod(deleted_at=NOON - HOUR, **fields)
    node = a_node(conditions=(a_condition("Ready", ready),))
    (symptom,) = seen(pod_stuck_terminating.CHECK, pod, a_snapshot(pod, node))
    assert symptom.evidence["cause"] == cause
    assert words in symptom.message
