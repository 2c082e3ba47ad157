"""Missing replicas, stuck rollouts, and a replica that is alone."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.checks import seen, told
from tests.support.clock import NOON
from tests.support.rows import (
    DAY_AGO,
    a_condition,
    a_daemon_set,
    a_deployment,
    a_node,
    a_pdb,
    a_pod,
    a_replica_set,
    a_service,
    a_snapshot,
    a_stateful_set,
    a_status,
    owned_by,
)

from common.cluster.rows import DaemonSetRow, DeploymentRow, PodRow, Row, StatefulSetRow, WorkloadRow
from common.cluster.snapshot import SourceState
from common.cluster.store import Store
from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.checks.workloads import (
    daemonset_rollout_stuck,
    daemonset_unavailable,
    deployment_rollout_stuck,
    deployment_single_replica,
    deployment_unavailable,
    statefulset_rollout_stuck,
    statefulset_single_replica,
    statefulset_unavailable,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
KINDS = [
    pytest.param(deployment_unavailable.CHECK, a_deployment, id="Deployment"),
    pytest.param(statefulset_unavailable.CHECK, a_stateful_set, id="StatefulSet"),
    pytest.param(daemonset_unavailable.CHECK, a_daemon_set, id="DaemonSet"),
]


def pods_of(workload: Row, *unready_for: timedelta | None) -> list[PodRow]:
    """One pod for each: None is a ready one, else how long it has not been ready. Each sits on a node of its own."""
    return [
        a_pod(
            f"{workload.name}-{n}",
            owner=owned_by(workload),
            node=f"node-{n}",
            ready=since is None,
            ready_changed_at=NOON - (since or timedelta(hours=1)),
        )
        for n, since in enumerate(unready_for)
    ]


# --- missing replicas


@pytest.mark.parametrize(("check", "build"), KINDS)
def test_a_single_replica_that_is_missing(check: Check[Any, Any], build: Any) -> None:
    (symptom,) = seen(check, build(replicas=1, ready_replicas=0))
    assert symptom.message == "The only replica is not ready: the workload is down"


@pytest.mark.parametrize(("check", "build"), KINDS)
@pytest.mark.parametrize(
    ("ready", "severity", "after", "words"),
    [
        pytest.param(3, None, None, "", id="all are ready"),
        pytest.param(4, None, None, "", id="one more than wanted, in a rollout"),
        pytest.param(2, Severity.WARNING, 5 * MINUTE, "1 of 3 replicas are not ready, 2 are", id="one is missing"),
        pytest.param(1, Severity.WARNING, 5 * MINUTE, "2 of 3 replicas are not ready, 1 are", id="two are missing"),
        pytest.param(
            0, Severity.CRITICAL, MINUTE, "None of the 3 replicas is ready: the workload is down", id="all are"
        ),
    ],
)
def test_missing_replicas(
    check: Check[Any, Any],
    build: Any,
    ready: int,
    severity: Severity | None,
    after: timedelta | None,
    words: str,
) -> None:
    symptoms = seen(check, build(ready_replicas=ready))
    answers = [(symptom.severity or check.severity, symptom.after, symptom.message) for symptom in symptoms]
    assert answers == ([(severity, after, words)] if severity else [])


@pytest.mark.parametrize(("check", "build"), KINDS)
@pytest.mark.parametrize(
    ("ready", "unready_for", "told_of"),
    [
        pytest.param(2, [None, None, 5 * MINUTE], True, id="one for 5 minutes"),
        pytest.param(2, [None, None, 5 * MINUTE - SECOND], False, id="one for not quite 5 minutes"),
        pytest.param(
            1, [None, 5 * MINUTE, SECOND], True, id="one for 5 minutes, another just now: some are missing since"
        ),
        pytest.param(0, [5 * MINUTE, MINUTE, 2 * MINUTE], True, id="the last for a minute: all are missing since"),
        pytest.param(0, [5 * MINUTE, MINUTE - SECOND], False, id="the last for not quite a minute"),
    ],
)
def test_since_when_replicas_are_missing(
    check: Check[Any, Any], build: Any, ready: int, unready_for: list[timedelta | None], told_of: bool
) -> None:
    workload = build(ready_replicas=ready)
    snapshot = a_snapshot(workload, *pods_of(workload, *unready_for))
    assert bool(told([check], workload, snapshot)) is told_of


@pytest.mark.parametrize(("check", "build"), KINDS)
@pytest.mark.parametrize(
    ("ready", "severity"),
    [
        pytest.param([False, False], Severity.CRITICAL, id="both in back-off"),
        pytest.param([True, False], Severity.CRITICAL, id="one runs for a moment: it is down all the same"),
    ],
)
def test_replicas_that_crash_loop_are_missing_all_along(
    check: Check[Any, Any], build: Any, ready: list[bool], severity: Severity
) -> None:
    workload = build(replicas=2, ready_replicas=sum(ready))
    last = {"restarts": 5, "last_reason": "Error", "last_exit_code": 1, "last_finished_at": NOON - SECOND}
    pods = [
        replace(pod, ready=up, statuses=(a_status(ready=up, **last),))
        for pod, up in zip(pods_of(workload, SECOND, SECOND), ready, strict=True)
    ]
    (symptom,) = seen(check, workload, a_snapshot(workload, *pods))
    assert symptom.severity is severity
    assert symptom.since is None, "a crash does not begin the time anew"
    assert (symptom.after, symptom.evidence["ready"]) == (MINUTE, 0)


@pytest.mark.parametrize(("check", "build"), KINDS)
def test_replicas_without_pods_count_from_when_they_are_first_missed(check: Check[Any, Any], build: Any) -> None:
    (symptom,) = seen(check, build(ready_replicas=0))
    assert symptom.since is None
    (symptom,) = seen(check, build(ready_replicas=2))
    assert symptom.since is None


@pytest.mark.parametrize(("check", "build"), KINDS)
@pytest.mark.parametrize(
    ("age", "told_of"),
    [
        pytest.param(10 * MINUTE - SECOND, False, id="not quite 10 minutes old: may be starting"),
        pytest.param(10 * MINUTE, True, id="10 minutes old"),
    ],
)
def test_a_new_workload_is_given_time_to_start(
    check: Check[Any, Any], build: Any, age: timedelta, told_of: bool
) -> None:
    workload = build(ready_replicas=0, created_at=NOON - age)
    assert bool(told([check], workload)) is told_of


@pytest.mark.parametrize(("check", "build"), KINDS)
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"replicas": 0, "ready_replicas": 0}, id="scaled to zero"),
        pytest.param({"ready_replicas": 0, "deleted_at": NOON}, id="deleted"),
    ],
)
def test_replicas_that_are_not_wanted(check: Check[Any, Any], build: Any, fields: dict[str, Any]) -> None:
    assert seen(check, build(**fields)) == []


def test_pods_that_cannot_be_created_are_explained() -> None:
    failure = a_condition("ReplicaFailure", reason="FailedCreate")
    (symptom,) = seen(deployment_unavailable.CHECK, a_deployment(ready_replicas=1, conditions=(failure,)))
    assert "cannot even be created (FailedCreate)" in symptom.message


@pytest.mark.parametrize(
    ("ready", "nodes_down", "missing"),
    [
        pytest.param(2, ["node-2"], 0, id="the missing pod is on the node that is down"),
        pytest.param(2, ["node-1"], 1, id="the missing pod is elsewhere"),
        pytest.param(1, ["node-2"], 1, id="two are missing, one of them on a node that is down"),
        pytest.param(2, [], 1, id="no node is down"),
    ],
)
def test_pods_of_a_daemon_set_on_nodes_that_are_down_are_the_nodes_trouble(
    ready: int, nodes_down: list[str], missing: int
) -> None:
    workload = a_daemon_set(ready_replicas=ready)
    nodes = [
        a_node(name, conditions=(a_condition("Ready", "Unknown" if name in nodes_down else "True"),))
        for name in ("node-0", "node-1", "node-2")
    ]
    pods = pods_of(workload, *([None] * ready), *([10 * MINUTE] * (3 - ready)))
    symptoms = seen(daemonset_unavailable.CHECK, workload, a_snapshot(workload, *nodes, *pods))
    assert [symptom.evidence["missing"] for symptom in symptoms] == ([missing] if missing else [])


# --- rollouts


def progressing(status: str, reason: str) -> tuple[Any, ...]:
    return (a_condition("Progressing", status, reason=reason, changed_at=NOON - MINUTE),)


@pytest.mark.parametrize(
    ("deployment", "told_of"),
    [
        pytest.param(a_deployment(), False, id="rolled out"),
        pytest.param(
            a_deployment(updated_replicas=1, conditions=progressing("True", "ReplicaSetUpdated")), False, id="moves"
        ),
        pytest.param(
            a_deployment(updated_replicas=1, conditions=progressing("False", "ProgressDeadlineExceeded")),
            True,
            id="stuck",
        ),
        pytest.param(a_deployment(conditions=progressing("Unknown", "DeploymentPaused")), False, id="paused"),
        pytest.param(
            a_deployment(conditions=progressing("False", "ProgressDeadlineExceeded"), deleted_at=NOON),
            False,
            id="deleted",
        ),
        pytest.param(a_deployment(conditions=()), False, id="says nothing"),
    ],
)
def test_a_deployments_rollout(deployment: DeploymentRow, told_of: bool) -> None:
    assert bool(told([deployment_rollout_stuck.CHECK], deployment)) is told_of


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        pytest.param(
            "ProgressDeadlineExceeded",
            "The rollout of revision 7 is stuck (ProgressDeadlineExceeded): 1 of 3 replicas are updated, 2 are "
            "available, and nothing moved for 300 s",
            id="waited in vain",
        ),
        pytest.param(
            "FailedCreate",
            "The rollout of revision 7 is stuck (FailedCreate): 1 of 3 replicas are updated, 2 are available",
            id="could not even begin",
        ),
    ],
)
def test_a_stuck_rollout_says_how_far_it_came(reason: str, message: str) -> None:
    (symptom,) = seen(
        deployment_rollout_stuck.CHECK,
        a_deployment(
            revision="7",
            updated_replicas=1,
            available_replicas=2,
            progress_deadline_seconds=300,
            conditions=progressing("False", reason),
        ),
    )
    assert symptom.message == message
    assert symptom.since == NOON - MINUTE


def updating(**fields: Any) -> StatefulSetRow:
    return a_stateful_set(**({"revision": "orders-db-2", "updated_replicas": 1} | fields))


@pytest.mark.parametrize(
    ("workload", "told_of"),
    [
        pytest.param(updating(), True, id="one of three is updated"),
        pytest.param(updating(updated_replicas=3), False, id="all are updated"),
        pytest.param(updating(partition=2), False, id="all that a partition lets be"),
        pytest.param(updating(partition=1), True, id="not all that a partition lets be"),
        pytest.param(updating(strategy="OnDelete"), False, id="updated by hand, on purpose"),
        pytest.param(updating(revision="orders-db-1"), False, id="nothing to update: it scales up"),
        pytest.param(updating(deleted_at=NOON), False, id="deleted"),
    ],
)
def test_a_stateful_sets_rollout(workload: StatefulSetRow, told_of: bool) -> None:
    assert bool(told([statefulset_rollout_stuck.CHECK], workload)) is told_of


@pytest.mark.parametrize(
    ("workload", "told_of"),
    [
        pytest.param(a_daemon_set(updated_replicas=1), True, id="one of three is updated"),
        pytest.param(a_daemon_set(), False, id="all are updated"),
        pytest.param(a_daemon_set(updated_replicas=1, strategy="OnDelete"), False, id="updated by hand, on purpose"),
        pytest.param(a_daemon_set(updated_replicas=1, deleted_at=NOON), False, id="deleted"),
    ],
)
def test_a_daemon_sets_rollout(workload: DaemonSetRow, told_of: bool) -> None:
    assert bool(told([daemonset_rollout_stuck.CHECK], workload)) is told_of


@pytest.mark.parametrize(
    ("check", "workload"),
    [
        pytest.param(statefulset_rollout_stuck.CHECK, updating(), id="StatefulSet"),
        pytest.param(daemonset_rollout_stuck.CHECK, a_daemon_set(updated_replicas=1), id="DaemonSet"),
    ],
)
def test_a_rollout_is_stuck_10_minutes_after_its_newest_pod_was_made(
    check: Check[Any, Any], workload: WorkloadRow
) -> None:
    pods = [a_pod(f"p{n}", owner=owned_by(workload), created_at=NOON - n * MINUTE) for n in (40, 10, 60)]
    snapshot = a_snapshot(workload, *pods)
    (symptom,) = seen(check, workload, snapshot)
    assert symptom.since == NOON - 10 * MINUTE
    assert told([check], workload, snapshot) == [check.code]
    assert told([check], workload, snapshot, now=NOON - SECOND) == []


@pytest.mark.parametrize(
    ("down", "told_of"),
    [
        pytest.param(1, True, id="two are behind, one node is down"),
        pytest.param(2, False, id="two are behind, two nodes are down: pods there cannot be replaced"),
    ],
)
def test_nodes_that_are_down_hold_up_a_daemon_set(down: int, told_of: bool) -> None:
    workload = a_daemon_set(updated_replicas=1)
    nodes = [a_node(f"node-{n}", conditions=(a_condition("Ready", "False"),)) for n in range(down)]
    assert bool(seen(daemonset_rollout_stuck.CHECK, workload, a_snapshot(workload, *nodes))) is told_of


# --- a single replica


def alone(*others: Row, sources: dict[str, SourceState] | None = None, **fields: Any) -> tuple[DeploymentRow, Store]:
    """A Deployment with one replica and its pod, among `others`."""
    deployment = a_deployment(replicas=1, **fields)
    replica_set = a_replica_set(replicas=1, owner=owned_by(deployment))
    pod = a_pod(owner=owned_by(replica_set))
    return deployment, a_snapshot(deployment, replica_set, pod, *others, sources=sources)


def test_a_service_on_a_single_replica() -> None:
    deployment, snapshot = alone(a_service("front"), a_service("back"), created_at=DAY_AGO)
    (symptom,) = seen(deployment_single_replica.CHECK, deployment, snapshot)
    assert symptom.message.startswith("Service back rests on a single replica")
    assert symptom.evidence == {"replicas": 1, "services": "back, front"}


@pytest.mark.parametrize(
    ("others", "fields"),
    [
        pytest.param([], {}, id="no Service selects it"),
        pytest.param([a_service(), a_pdb()], {}, id="a budget protects it"),
        pytest.param([a_service()], {"deleted_at": NOON}, id="deleted"),
        pytest.param(
            [a_service()], {"sources": {"PodDisruptionBudget": SourceState.UNSEEN}}, id="budgets are not seen"
        ),
    ],
)
def test_a_single_replica_is_no_trouble_when(others: list[Row], fields: dict[str, Any]) -> None:
    deployment, snapshot = alone(*others, **fields)
    assert seen(deployment_single_replica.CHECK, deployment, snapshot) == []


def test_a_single_replica_that_no_service_selects_is_told_when_asked_for() -> None:
    deployment, snapshot = alone()
    (symptom,) = seen(deployment_single_replica.CHECK, deployment, snapshot, thresholds={"without_service": True})
    assert symptom.message.startswith("The workload has a single replica")


@pytest.mark.parametrize(
    ("others", "told"),
    [
        pytest.param([a_service()], True, id="behind a Service"),
        pytest.param([], False, id="no Service selects it"),
        pytest.param([a_service(), a_pdb()], False, id="a budget protects it"),
    ],
)
def test_a_stateful_set_on_a_single_replica(others: list[Row], told: bool) -> None:
    workload = a_stateful_set(replicas=1)
    snapshot = a_snapshot(workload, a_pod(owner=owned_by(workload)), *others)
    assert bool(seen(statefulset_single_replica.CHECK, workload, snapshot)) is told


def test_a_single_replica_is_told_ready_or_not_so_that_it_does_not_come_and_go() -> None:
    deployment, snapshot = alone(a_service(), ready_replicas=0)
    assert len(seen(deployment_single_replica.CHECK, deployment, snapshot)) == 1


def test_replicas_that_are_not_alone_or_not_there() -> None:
    assert seen(deployment_single_replica.CHECK, a_deployment(replicas=2)) == []
    deployment = a_deployment(replicas=1)
    assert seen(deployment_single_replica.CHECK, deployment, a_snapshot(deployment, a_service())) == []
