"""Containers that end: crash loops, OOM kills, restarts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.checks import seen
from tests.support.clock import NOON
from tests.support.rows import HOUR_AGO, a_container, a_pod, a_status

from common.cluster.rows import ContainerStatus, PodRow, Resources
from common.contracts import Severity
from health_monitor.checks.pods import pod_crash_loop, pod_oom_killed, pod_restarts

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def ended(*, run: timedelta | None = MINUTE, ago: timedelta = MINUTE, **fields: Any) -> ContainerStatus:
    """A container that was restarted after a run that ended a while ago."""
    at = NOON - ago
    last = {
        "restarts": 5,
        "last_reason": "Error",
        "last_exit_code": 1,
        "last_started_at": at - run if run is not None else None,
        "last_finished_at": at,
    }
    return a_status(**(last | fields))


def pod(status: ContainerStatus, **fields: Any) -> PodRow:
    return a_pod(statuses=(status,), **({"created_at": NOON - 9 * HOUR} | fields))


# --- crash loops


@pytest.mark.parametrize(
    ("status", "loops"),
    [
        pytest.param(a_status(), False, id="never restarted"),
        pytest.param(ended(state="waiting", reason="CrashLoopBackOff"), True, id="in back-off"),
        pytest.param(
            ended(state="waiting", reason="CrashLoopBackOff", restarts=2), True, id="in back-off, second restart"
        ),
        pytest.param(
            ended(state="waiting", reason="CrashLoopBackOff", restarts=1), False, id="first restart: may be chance"
        ),
        pytest.param(ended(), True, id="runs, but crashed a minute ago after a minute"),
        pytest.param(ended(run=10 * MINUTE - SECOND), True, id="the last run lasted not quite 10 minutes"),
        pytest.param(ended(run=10 * MINUTE), False, id="the last run lasted 10 minutes: the kubelet forgives"),
        pytest.param(ended(ago=15 * MINUTE - SECOND), True, id="crashed not quite 15 minutes ago"),
        pytest.param(ended(ago=15 * MINUTE), False, id="has run since 15 minutes: back-off and forgiveness are over"),
        pytest.param(ended(run=None), True, id="crashed with an error after a run of unknown length"),
        pytest.param(ended(run=None, last_exit_code=0), False, id="ended well after a run of unknown length"),
        pytest.param(ended(last_exit_code=0), True, id="ends well, but at once and again and again"),
        pytest.param(ended(restarts=1), False, id="crashed once"),
        pytest.param(ended(last_started_at=EPOCH), True, id="could not be started: said to have started in 1970"),
        pytest.param(ended(state="terminated", reason="Error", exit_code=1), True, id="has just crashed again"),
        pytest.param(
            ended(state="terminated", reason="Completed", exit_code=0, init=True),
            False,
            id="an init container made it at last",
        ),
        pytest.param(ended(state="waiting", reason="ImagePullBackOff"), False, id="now waits for its image"),
        pytest.param(
            ended(state="waiting", reason="CreateContainerConfigError"), False, id="now waits for its ConfigMap"
        ),
        pytest.param(ended(last_reason="OOMKilled", last_exit_code=137), False, id="for lack of memory: told as that"),
    ],
)
def test_a_crash_loop(status: ContainerStatus, loops: bool) -> None:
    assert bool(seen(pod_crash_loop.CHECK, pod(status))) is loops


@pytest.mark.parametrize(
    ("exit_code", "meaning"),
    [
        pytest.param(1, "its previous log says why", id="1: the application"),
        pytest.param(127, "does not exist in the image", id="127: no such command"),
        pytest.param(137, "liveness probe", id="137: killed"),
        pytest.param(0, "ends without an error", id="0: should not end"),
    ],
)
def test_a_crash_loop_explains_the_exit_code(exit_code: int, meaning: str) -> None:
    (symptom,) = seen(pod_crash_loop.CHECK, pod(ended(last_exit_code=exit_code)))
    assert f"5 times so far with exit code {exit_code}" in symptom.message
    assert meaning in symptom.message
    assert symptom.part == "app"
    assert symptom.evidence == {"container": "app", "restarts": 5, "reason": "Error", "exit_code": exit_code}


def test_a_crash_loop_without_an_exit_code_says_none() -> None:
    (symptom,) = seen(pod_crash_loop.CHECK, pod(ended(last_exit_code=None, state="waiting", reason="CrashLoopBackOff")))
    assert "exit code" not in symptom.message
    assert "exit_code" not in symptom.evidence


def test_a_crash_that_is_not_restarted_yet_is_the_one_that_is_told() -> None:
    (symptom,) = seen(pod_crash_loop.CHECK, pod(ended(state="terminated", reason="ContainerCannotRun", exit_code=127)))
    assert (symptom.evidence["exit_code"], symptom.evidence["reason"]) == (127, "ContainerCannotRun")


def test_each_crashing_container_is_told_and_only_those() -> None:
    statuses = (ended(), a_status("proxy"), ended(name="cache", init=True))
    symptoms = seen(pod_crash_loop.CHECK, a_pod(statuses=statuses))
    assert [symptom.part for symptom in symptoms] == ["app", "cache"]
    assert symptoms[1].message.startswith("Init container cache")


@pytest.mark.parametrize("gone", [{"deleted_at": NOON}, {"phase": "Failed"}, {"phase": "Succeeded"}])
def test_a_pod_that_ends_is_in_no_loop(gone: dict[str, Any]) -> None:
    assert seen(pod_crash_loop.CHECK, pod(ended(), **gone)) == []


def test_the_number_of_restarts_that_make_a_loop_can_be_set() -> None:
    assert seen(pod_crash_loop.CHECK, pod(ended()), thresholds={"restarts": 5})
    assert seen(pod_crash_loop.CHECK, pod(ended()), thresholds={"restarts": 6}) == []


@dataclass(frozen=True)
class Moment:
    at: datetime
    status: ContainerStatus


def a_kubelets_loop(crashes: int, run: timedelta) -> list[Moment]:
    """What a kubelet reports of a container that crashes after each run: running, ended, in back-off, running again."""
    moments: list[Moment] = []
    at, back_off, last = NOON, timedelta(0), {}
    for restarts in range(crashes):
        moments.append(Moment(at, a_status(restarts=restarts, **last)))
        moments.append(Moment(at + run - SECOND, a_status(restarts=restarts, **last)))
        started, at = at, at + run
        end = {"state": "terminated", "reason": "Error", "exit_code": 1, "finished_at": at}
        moments.append(Moment(at, a_status(ready=False, restarts=restarts, **last, **end)))
        last = {"last_reason": "Error", "last_exit_code": 1, "last_started_at": started, "last_finished_at": at}
        wait = {"state": "waiting", "reason": "CrashLoopBackOff"}
        if back_off:
            moments.append(Moment(at + SECOND, a_status(ready=False, restarts=restarts, **last, **wait)))
            moments.append(Moment(at + back_off - SECOND, a_status(ready=False, restarts=restarts, **last, **wait)))
        at += back_off
        back_off = min(max(2 * back_off, 10 * SECOND), 5 * MINUTE)
    moments.append(Moment(at, a_status(restarts=crashes, **last)))
    moments.append(Moment(last["last_finished_at"] + 15 * MINUTE, a_status(restarts=crashes, **last)))
    return moments


@pytest.mark.parametrize(
    "run", [SECOND * 2, MINUTE, 9 * MINUTE], ids=["crashes after 2 s", "after a minute", "after 9 minutes"]
)
def test_a_crash_loop_is_one_finding_from_its_second_restart_until_it_is_over(run: timedelta) -> None:
    moments = a_kubelets_loop(crashes=9, run=run)
    answers = [bool(seen(pod_crash_loop.CHECK, pod(moment.status), now=moment.at)) for moment in moments]
    first = answers.index(True)
    assert moments[first].status.restarts == 2
    assert all(answers[first:-1])
    assert not answers[-1], "it has run for long enough"


# --- killed for lack of memory

OOM = {"last_reason": "OOMKilled", "last_exit_code": 137}


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        pytest.param(ended(), None, id="crashed for another reason"),
        pytest.param(
            ended(run=HOUR, ago=10 * MINUTE, restarts=1, **OOM), Severity.WARNING, id="killed once, runs again"
        ),
        pytest.param(ended(run=HOUR, ago=HOUR - SECOND, **OOM), Severity.WARNING, id="killed not quite an hour ago"),
        pytest.param(ended(run=HOUR, ago=HOUR, **OOM), None, id="has run well for an hour since"),
        pytest.param(ended(**OOM), Severity.CRITICAL, id="killed again and again"),
        pytest.param(
            ended(state="waiting", reason="CrashLoopBackOff", **OOM), Severity.CRITICAL, id="in back-off after kills"
        ),
        pytest.param(
            a_status(state="terminated", reason="OOMKilled", exit_code=137, finished_at=NOON - SECOND),
            Severity.WARNING,
            id="killed this second, not restarted yet",
        ),
        pytest.param(
            ended(state="terminated", reason="Error", exit_code=1, finished_at=NOON, **OOM),
            None,
            id="killed before, but now it ended for another reason",
        ),
    ],
)
def test_killed_for_lack_of_memory(status: ContainerStatus, severity: Severity | None) -> None:
    symptoms = seen(pod_oom_killed.CHECK, pod(status))
    assert [symptom.severity or pod_oom_killed.CHECK.severity for symptom in symptoms] == (
        [severity] if severity else []
    )


def test_killed_once_is_not_called_again_and_again() -> None:
    status = ended(state="waiting", reason="CrashLoopBackOff", restarts=1, **OOM)
    (symptom,) = seen(pod_oom_killed.CHECK, pod(status))
    assert "again and again" not in symptom.message


def test_an_oom_kill_names_the_limit_and_the_time() -> None:
    limits = Resources(memory_bytes=256 << 20)
    row = pod(ended(run=HOUR, restarts=1, **OOM), containers=(a_container(limits=limits),))
    (symptom,) = seen(pod_oom_killed.CHECK, row)
    assert "needs more than its limit of 256 MiB" in symptom.message
    assert symptom.since == NOON - MINUTE
    assert symptom.evidence["memory_limit_bytes"] == 256 << 20


def test_an_oom_kill_without_a_limit_is_the_nodes_shortage() -> None:
    (symptom,) = seen(pod_oom_killed.CHECK, pod(ended(**OOM), containers=(a_container(limits=Resources()),)))
    assert "it has no limit, so its node ran out" in symptom.message


# --- restarts


@pytest.mark.parametrize(
    ("status", "often"),
    [
        pytest.param(ended(run=40 * MINUTE, ago=5 * MINUTE), True, id="dies every 40 minutes"),
        pytest.param(ended(run=40 * MINUTE, restarts=2), False, id="died twice: may be chance"),
        pytest.param(ended(run=40 * MINUTE, restarts=3), True, id="died three times"),
        pytest.param(ended(run=10 * MINUTE), True, id="dies after 10 minutes: no loop to the kubelet"),
        pytest.param(ended(run=10 * MINUTE - SECOND), False, id="dies sooner: a crash loop, told as that"),
        pytest.param(ended(run=4 * HOUR), True, id="dies six times a day"),
        pytest.param(ended(run=4 * HOUR + SECOND), False, id="dies less often"),
        pytest.param(
            ended(run=40 * MINUTE, ago=80 * MINUTE - SECOND), True, id="has not yet run twice as long as before"
        ),
        pytest.param(ended(run=40 * MINUTE, ago=80 * MINUTE), False, id="has run twice as long as before: mended"),
        pytest.param(ended(run=None), False, id="the length of its runs is not known"),
        pytest.param(ended(run=HOUR, state="waiting", reason="ImagePullBackOff"), False, id="is not running again"),
        pytest.param(ended(run=HOUR, **OOM), False, id="for lack of memory: told as that"),
    ],
)
def test_restarts_often(status: ContainerStatus, often: bool) -> None:
    assert bool(seen(pod_restarts.CHECK, pod(status))) is often


def test_restarts_tell_how_long_it_runs() -> None:
    (symptom,) = seen(pod_restarts.CHECK, pod(ended(run=40 * MINUTE)))
    assert "restarted 5 times, last after a run of 40 minutes with exit code 1" in symptom.message
    assert symptom.evidence == {"container": "app", "restarts": 5, "run_minutes": 40, "reason": "Error"}


@pytest.mark.parametrize("gone", [{"deleted_at": HOUR_AGO}, {"phase": "Failed"}])
def test_a_pod_that_ends_does_not_restart(gone: dict[str, Any]) -> None:
    assert seen(pod_restarts.CHECK, pod(ended(run=HOUR), **gone)) == []
    assert seen(pod_oom_killed.CHECK, pod(ended(**OOM), **gone)) == []
