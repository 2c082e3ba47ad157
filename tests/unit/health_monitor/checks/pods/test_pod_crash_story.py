"""A Deployment crash-loops for half an hour, as a kubelet would report it: each trouble is told once, and ends once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from tests.support.clock import NOON
from tests.support.rows import (
    a_deployment,
    a_node,
    a_pod,
    a_replica_set,
    a_service,
    a_snapshot,
    a_status,
    an_endpoint_slice,
    owned_by,
)

from common.cluster.rows import Row
from common.contracts import Change
from health_monitor.engine.engine import Engine

SECOND = timedelta(seconds=1)
RUN = 2 * SECOND  # how long a container lives
CRASHES = 9
PODS = 3


@dataclass(frozen=True, slots=True)
class Report:
    at: datetime
    pod: int
    status: dict[str, Any]


def crashes_of(pod: int) -> Iterator[Report]:
    """What the kubelet reports of one pod whose container crashes nine times, and then runs."""
    at, wait, last = NOON + pod * 7 * SECOND, timedelta(0), dict[str, Any]()
    for restarts in range(CRASHES):
        yield Report(at, pod, {"ready": True, "restarts": restarts} | last)
        started, at = at, at + RUN
        end = {"state": "terminated", "reason": "Error", "exit_code": 1, "finished_at": at}
        yield Report(at, pod, {"ready": False, "restarts": restarts} | last | end)
        last = {"last_reason": "Error", "last_exit_code": 1, "last_started_at": started, "last_finished_at": at}
        if wait:
            back_off = {"ready": False, "state": "waiting", "reason": "CrashLoopBackOff"}
            yield Report(at + SECOND, pod, {"restarts": restarts} | back_off | last)
        at += wait
        wait = min(max(2 * wait, 10 * SECOND), 300 * SECOND)
    yield Report(at, pod, {"ready": True, "restarts": CRASHES} | last)


def test_a_crash_loop_is_told_once_and_ends_once() -> None:
    deployment = a_deployment(replicas=PODS)
    replica_set = a_replica_set(replicas=PODS, owner=owned_by(deployment))
    pods = [a_pod(f"checkout-{n}", owner=owned_by(replica_set)) for n in range(PODS)]
    endpoints = an_endpoint_slice()
    store = a_snapshot(deployment, replica_set, *pods, a_node(), a_service(), endpoints)
    engine = Engine(store)
    told: list[tuple[Change, str, str]] = []

    def take(events: Any) -> None:
        told.extend((event.change, event.finding.code, event.finding.object.name) for event in events)

    def wait_until(now: datetime) -> None:
        while engine.next_due_at is not None and engine.next_due_at <= now:
            take(engine.tick(engine.next_due_at).events)

    engine.start()
    take(engine.work(NOON).events)
    reports = sorted((report for n in range(PODS) for report in crashes_of(n)), key=lambda report: report.at)
    for number, report in enumerate(reports):
        wait_until(report.at)
        pod, ready = pods[report.pod], report.status["ready"]
        changed_at = pod.ready_changed_at if pod.ready is ready else report.at
        statuses = (a_status(**report.status),)
        pods[report.pod] = replace(pod, ready=ready, ready_changed_at=changed_at, statuses=statuses)
        up = sum(pod.ready for pod in pods)
        rows: list[Row] = [
            pods[report.pod],
            replace(deployment, ready_replicas=up),
            replace(endpoints, ready=up, not_ready=PODS - up),
        ]
        changes = [store.apply(replace(row, resource_version=f"{number}")) for row in rows]
        take(engine.apply([change for change in changes if change is not None], report.at).events)
    wait_until(NOON + timedelta(hours=2))

    troubles = [
        ("pod-crash-loop", "checkout-0"),
        ("pod-crash-loop", "checkout-1"),
        ("pod-crash-loop", "checkout-2"),
        ("deployment-unavailable", "checkout"),
        ("service-no-endpoints", "checkout"),
    ]
    expected = [(change, *trouble) for change in (Change.OPENED, Change.RESOLVED) for trouble in troubles]
    assert sorted(told) == sorted(expected)
