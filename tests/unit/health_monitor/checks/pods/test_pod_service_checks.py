"""Pods that run but do not serve: probes, readiness, their node, their state."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.checks import seen, told
from tests.support.clock import NOON
from tests.support.rows import HOUR_AGO, a_condition, a_node, a_pod, a_snapshot, a_status, a_warning

from common.cluster.rows import EventRow, PodRow
from common.cluster.store import Store
from health_monitor.checks.pods import (
    pod_liveness_failing,
    pod_not_ready,
    pod_on_not_ready_node,
    pod_readiness_failing,
    pod_unknown,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def unready(since: timedelta = 5 * MINUTE, **fields: Any) -> PodRow:
    """Ran well for most of an hour, and is out of service since."""
    status = a_status(ready=False)
    return a_pod(**({"ready": False, "ready_changed_at": NOON - since, "statuses": (status,)} | fields))


def failed_probe(pod: PodRow, probe: str = "Readiness", **fields: Any) -> EventRow:
    event = {"message": f"{probe} probe failed: HTTP probe failed with statuscode: 503", "count": 3}
    return a_warning(pod, **(event | {"field_path": "spec.containers{app}", "first_at": NOON - 5 * MINUTE} | fields))


def with_events(pod: PodRow, *events: EventRow) -> Store:
    return a_snapshot(pod, a_node(), *events)


# --- liveness


@pytest.mark.parametrize(
    ("fields", "told_of"),
    [
        pytest.param({}, True, id="three failures"),
        pytest.param({"count": 2}, False, id="two failures"),
        pytest.param({"last_at": NOON - 10 * MINUTE + SECOND}, True, id="failed not quite 10 minutes ago"),
        pytest.param({"last_at": NOON - 10 * MINUTE}, False, id="silent for 10 minutes: over"),
        pytest.param({"last_at": None}, False, id="nobody knows when"),
        pytest.param({"reason": "BackOff"}, False, id="another warning"),
        pytest.param({"message": "Startup probe failed: not yet"}, False, id="a startup probe fails until it does not"),
        pytest.param({"field_path": ""}, True, id="the container is not named"),
    ],
)
def test_liveness(fields: dict[str, Any], told_of: bool) -> None:
    pod = a_pod()
    reason = fields.pop("reason", "Unhealthy")
    event = failed_probe(pod, "Liveness", **fields, reason=reason)
    assert bool(told([pod_liveness_failing.CHECK], pod, with_events(pod, event))) is told_of


def test_liveness_failures_with_different_words_are_counted_together() -> None:
    pod = a_pod()
    first = failed_probe(pod, "Liveness", name="a", count=2, message="Liveness probe failed: timeout")
    second = failed_probe(pod, "Liveness", name="b", count=1, first_at=NOON)
    (symptom,) = seen(pod_liveness_failing.CHECK, pod, with_events(pod, second, first))
    assert symptom.message.endswith("Liveness probe failed: timeout"), "the oldest words, which hold still"
    assert (symptom.part, symptom.since) == ("app", NOON - 5 * MINUTE)


def test_liveness_tells_each_container() -> None:
    pod = a_pod()
    other = failed_probe(pod, "Liveness", name="b", field_path="spec.initContainers{proxy}")
    symptoms = seen(pod_liveness_failing.CHECK, pod, with_events(pod, failed_probe(pod, "Liveness"), other))
    assert sorted(symptom.part for symptom in symptoms) == ["app", "proxy"]


@pytest.mark.parametrize("gone", [{"deleted_at": NOON}, {"phase": "Succeeded"}])
def test_liveness_of_a_pod_that_ends_is_nothing(gone: dict[str, Any]) -> None:
    pod = a_pod(**gone)
    assert seen(pod_liveness_failing.CHECK, pod, with_events(pod, failed_probe(pod, "Liveness"))) == []


# --- readiness


@pytest.mark.parametrize(
    ("pod", "told_of"),
    [
        pytest.param(unready(30 * SECOND), True, id="out of service for 30 seconds"),
        pytest.param(unready(29 * SECOND), False, id="not for 30 seconds yet"),
        pytest.param(
            unready(10 * MINUTE, started_at=NOON - 10 * MINUTE), True, id="not ready 10 minutes after its start"
        ),
        pytest.param(
            unready(9 * MINUTE, started_at=NOON - 9 * MINUTE), False, id="not ready 9 minutes after its start"
        ),
        pytest.param(a_pod(), False, id="in service"),
    ],
)
def test_readiness(pod: PodRow, told_of: bool) -> None:
    assert bool(told([pod_readiness_failing.CHECK], pod, with_events(pod, failed_probe(pod)))) is told_of


def test_readiness_quotes_the_probe() -> None:
    pod = unready()
    (symptom,) = seen(pod_readiness_failing.CHECK, pod, with_events(pod, failed_probe(pod)))
    assert symptom.message.endswith("Readiness probe failed: HTTP probe failed with statuscode: 503")
    assert symptom.evidence == {"container": "app", "probe": "readiness"}
    assert symptom.since == NOON - 5 * MINUTE


def test_readiness_without_events_is_left_to_the_general_check() -> None:
    pod = unready()
    assert told([pod_readiness_failing.CHECK, pod_not_ready.CHECK], pod, with_events(pod)) == ["pod-not-ready"]


def test_an_old_failure_hands_over_to_the_general_check() -> None:
    pod = unready(20 * MINUTE)
    event = failed_probe(pod, last_at=NOON - 10 * MINUTE)
    both = [pod_readiness_failing.CHECK, pod_not_ready.CHECK]
    assert told(both, pod, with_events(pod, event), now=NOON - SECOND) == ["pod-readiness-failing"]
    assert told(both, pod, with_events(pod, event)) == ["pod-not-ready"]


# --- not ready


@pytest.mark.parametrize(
    ("pod", "told_of"),
    [
        pytest.param(unready(2 * MINUTE), True, id="out of service for 2 minutes"),
        pytest.param(unready(2 * MINUTE - SECOND), False, id="not for 2 minutes yet"),
        pytest.param(
            unready(10 * MINUTE, started_at=NOON - 10 * MINUTE), True, id="not ready 10 minutes after its start"
        ),
        pytest.param(
            unready(9 * MINUTE, started_at=NOON - 9 * MINUTE), False, id="not ready 9 minutes after its start"
        ),
        pytest.param(unready(9 * MINUTE, started_at=None, created_at=None), False, id="start unknown: may be starting"),
        pytest.param(unready(phase="Pending"), False, id="has not started"),
        pytest.param(unready(deleted_at=NOON + MINUTE), False, id="is shutting down"),
    ],
)
def test_not_ready(pod: PodRow, told_of: bool) -> None:
    assert bool(told([pod_not_ready.CHECK], pod)) is told_of


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        pytest.param(unready(), "container app runs but is not ready", id="a container that runs"),
        pytest.param(
            unready(statuses=(a_status(ready=False, state="terminated", exit_code=3), a_status("proxy"))),
            "container app ended with exit code 3 and is not started again",
            id="a container that ended for good",
        ),
        pytest.param(
            unready(statuses=(a_status(ready=False, state="waiting", reason="ContainerCreating"),)),
            "container app is waiting (ContainerCreating)",
            id="a container that waits",
        ),
        pytest.param(
            unready(statuses=(a_status(),), conditions=(a_condition("shop.example/loaded", "False"),)),
            "its containers are, but the readiness gate shop.example/loaded is not met",
            id="a readiness gate",
        ),
        pytest.param(
            unready(statuses=(a_status(),)), "its containers are, yet Ready is not True", id="nothing to be seen"
        ),
    ],
)
def test_what_is_not_ready(pod: PodRow, words: str) -> None:
    (symptom,) = seen(pod_not_ready.CHECK, pod)
    assert symptom.message == f"The pod runs but is not ready: {words}"


@pytest.mark.parametrize(
    ("back", "told_of"),
    [
        pytest.param(timedelta(seconds=1), False, id="the node has just come back, its pods are reported next"),
        pytest.param(2 * MINUTE, True, id="the node is back for long enough"),
    ],
)
def test_time_on_a_silent_node_does_not_count(back: timedelta, told_of: bool) -> None:
    node = a_node(conditions=(a_condition("Ready", changed_at=NOON - back),))
    pod = unready(20 * MINUTE)
    both = [pod_readiness_failing.CHECK, pod_not_ready.CHECK]
    for events in ([], [failed_probe(pod)]):
        assert bool(told(both, pod, a_snapshot(pod, node, *events))) is told_of


def test_a_pod_whose_work_is_partly_done_is_not_meant_to_serve() -> None:
    done = a_status("step-1", ready=False, state="terminated", exit_code=0)
    assert seen(pod_not_ready.CHECK, unready(statuses=(done, a_status("step-2")))) == []
    assert seen(pod_not_ready.CHECK, unready(statuses=(done, a_status("step-2", ready=False)))) != []


# --- its node


@pytest.mark.parametrize(
    ("status", "since", "told_of"),
    [
        pytest.param("False", MINUTE, True, id="not ready for a minute"),
        pytest.param("Unknown", MINUTE, True, id="unknown for a minute"),
        pytest.param("False", MINUTE - SECOND, False, id="not for a minute yet"),
        pytest.param("True", MINUTE, False, id="ready"),
    ],
)
def test_on_a_node_that_is_not_ready(status: str, since: timedelta, told_of: bool) -> None:
    node = a_node(conditions=(a_condition("Ready", status, changed_at=NOON - since, reason="Why"),))
    assert bool(told([pod_on_not_ready_node.CHECK], a_pod(), a_snapshot(a_pod(), node))) is told_of


def test_a_node_that_never_reported_counts_from_its_creation() -> None:
    node = a_node(conditions=(), created_at=HOUR_AGO)
    (symptom,) = seen(pod_on_not_ready_node.CHECK, a_pod(), a_snapshot(a_pod(), node))
    assert symptom.since == HOUR_AGO
    assert symptom.evidence == {"node": "node-1", "node_ready": "Unknown", "node_reason": ""}


@pytest.mark.parametrize("pod", [a_pod(), a_pod(node="", phase="Pending")], ids=["node not seen", "no node"])
def test_a_node_that_is_not_seen_is_not_blamed(pod: PodRow) -> None:
    assert seen(pod_on_not_ready_node.CHECK, pod) == []


# --- its state


@pytest.mark.parametrize(
    ("pod", "told_of"),
    [
        pytest.param(unready(MINUTE, phase="Unknown"), True, id="unknown for a minute"),
        pytest.param(unready(MINUTE - SECOND, phase="Unknown"), False, id="not for a minute yet"),
        pytest.param(unready(phase="Unknown", deleted_at=NOON), False, id="deleted"),
        pytest.param(a_pod(), False, id="known"),
    ],
)
def test_unknown(pod: PodRow, told_of: bool) -> None:
    assert bool(told([pod_unknown.CHECK], pod)) is told_of
