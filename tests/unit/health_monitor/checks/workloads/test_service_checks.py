"""Services that lead nowhere."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.checks import seen, told
from tests.support.clock import NOON
from tests.support.rows import DAY_AGO, a_deployment, a_pod, a_service, a_snapshot, a_status, an_endpoint_slice

from common.cluster.rows import PodRow, Row, ServiceRow
from common.cluster.snapshot import SourceState
from common.contracts import Severity
from health_monitor.checks.workloads import service_no_endpoints

CHECK = service_no_endpoints.CHECK
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
NONE_READY = an_endpoint_slice(ready=0, not_ready=2)


def unready(name: str = "one", ago: timedelta = MINUTE, **fields: Any) -> PodRow:
    return a_pod(name, **({"ready": False, "ready_changed_at": NOON - ago} | fields))


@pytest.mark.parametrize(
    ("service", "others", "severity"),
    [
        pytest.param(a_service(), [an_endpoint_slice()], None, id="ready endpoints"),
        pytest.param(a_service(), [unready(), NONE_READY], Severity.CRITICAL, id="pods, but none of them is ready"),
        pytest.param(a_service(), [unready(phase="Pending")], Severity.CRITICAL, id="pods without an address yet"),
        pytest.param(a_service(), [], Severity.WARNING, id="no pods"),
        pytest.param(a_service(), [a_pod(labels={"app": "cart"})], Severity.WARNING, id="only other pods"),
        pytest.param(a_service(), [a_pod(namespace="test")], Severity.WARNING, id="only pods elsewhere"),
        pytest.param(a_service(), [a_pod(phase="Succeeded")], Severity.WARNING, id="only finished pods"),
        pytest.param(a_service(), [a_deployment(replicas=0)], None, id="its workload is scaled to zero"),
        pytest.param(a_service(selector={}), [], None, id="no selector: somebody else fills it in"),
        pytest.param(a_service(type="ExternalName"), [], None, id="an alias"),
        pytest.param(
            a_service(headless=True), [unready(), NONE_READY], Severity.CRITICAL, id="headless, none is ready"
        ),
        pytest.param(a_service(deleted_at=NOON), [], None, id="deleted"),
    ],
)
def test_a_service_without_endpoints(service: ServiceRow, others: list[Row], severity: Severity | None) -> None:
    symptoms = seen(CHECK, service, a_snapshot(service, *others))
    assert [symptom.severity or CHECK.severity for symptom in symptoms] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("pods", "told_of"),
    [
        pytest.param([unready("one", 5 * MINUTE), unready("two", MINUTE)], True, id="the last one for a minute"),
        pytest.param([unready("one", 5 * MINUTE), unready("two", MINUTE - SECOND)], False, id="for not quite a minute"),
    ],
)
def test_since_when_nobody_answers(pods: list[PodRow], told_of: bool) -> None:
    service = a_service(created_at=DAY_AGO)
    assert bool(told([CHECK], service, a_snapshot(service, *pods))) is told_of


def test_a_crash_does_not_begin_the_time_anew() -> None:
    service = a_service()
    looping = a_status(ready=False, state="waiting", reason="CrashLoopBackOff", restarts=5)
    (symptom,) = seen(CHECK, service, a_snapshot(service, unready(statuses=(looping,), ago=SECOND)))
    assert (symptom.since, symptom.after) == (None, MINUTE)


@pytest.mark.parametrize(
    ("age", "told_of"),
    [
        pytest.param(10 * MINUTE, True, id="10 minutes old"),
        pytest.param(10 * MINUTE - SECOND, False, id="not quite 10 minutes old: its pods may be starting"),
    ],
)
def test_a_new_service_is_given_time(age: timedelta, told_of: bool) -> None:
    service = a_service(created_at=NOON - age)
    assert bool(told([CHECK], service, a_snapshot(service, unready(ago=5 * MINUTE)))) is told_of


def test_the_two_troubles_read_differently() -> None:
    service = a_service()
    (symptom,) = seen(CHECK, service, a_snapshot(service, unready("one"), unready("two")))
    assert symptom.message == "None of the 2 pods of the Service is ready: every request to it fails"
    (symptom,) = seen(CHECK, service)
    assert symptom.message.startswith("The Service selects no pod (app=checkout)")
    assert (symptom.since, symptom.after) == (None, 10 * MINUTE)


@pytest.mark.parametrize("kind", ["EndpointSlice", "Pod"])
def test_what_may_not_be_read_is_not_missed(kind: str) -> None:
    service = a_service()
    assert seen(CHECK, service, a_snapshot(service, sources={kind: SourceState.UNSEEN})) == []
