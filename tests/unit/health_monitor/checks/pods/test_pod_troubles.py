"""One trouble of a pod is told once, by the check that says most about it."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.checks import told
from tests.support.clock import NOON
from tests.support.rows import (
    HOUR_AGO,
    a_condition,
    a_container,
    a_node,
    a_pod,
    a_snapshot,
    a_status,
    a_usage,
    a_warning,
)

from common.cluster.rows import NodeRow, OwnerRef, PodRow, Resources
from health_monitor.checks.pods import POD_CHECKS

MINUTE = timedelta(minutes=1)
UNREADY = {"ready": False, "ready_changed_at": NOON - 30 * MINUTE}
PENDING = UNREADY | {"phase": "Pending", "ready_changed_at": HOUR_AGO}
OF_JOB = OwnerRef(kind="Job", name="import", uid="1")
OF_REPLICA_SET = OwnerRef(kind="ReplicaSet", name="checkout-7d4b9c", uid="1")
OF_DAEMON_SET = OwnerRef(kind="DaemonSet", name="log-agent", uid="1")
CRASHED = {"restarts": 4, "last_reason": "Error", "last_exit_code": 1, "last_finished_at": NOON - 2 * MINUTE}
CRASHED_SOON = CRASHED | {"last_started_at": NOON - 3 * MINUTE}
OOM = CRASHED_SOON | {"last_reason": "OOMKilled", "last_exit_code": 137}
BACK_OFF = {"ready": False, "state": "waiting", "reason": "CrashLoopBackOff"}
UNSCHEDULED = PENDING | {"node": "", "scheduled_at": None, "statuses": ()}
NODE_DOWN = a_node(conditions=(a_condition("Ready", "Unknown"),))


def pod_with(*statuses: Any, **fields: Any) -> PodRow:
    return a_pod(statuses=statuses, **fields)


@pytest.mark.parametrize(
    ("pod", "codes"),
    [
        pytest.param(a_pod(), [], id="a healthy pod"),
        pytest.param(
            pod_with(a_status(ready=False, state="terminated", exit_code=0), phase="Succeeded", **UNREADY),
            [],
            id="a pod that succeeded",
        ),
        pytest.param(
            a_pod(
                **UNSCHEDULED,
                conditions=(a_condition("PodScheduled", "False", reason="Unschedulable", message="full"),),
            ),
            ["pod-unschedulable"],
            id="a pod that fits nowhere",
        ),
        pytest.param(
            a_pod(**UNSCHEDULED, conditions=(a_condition("PodScheduled", "False", reason="SchedulingGated"),)),
            [],
            id="a pod that a scheduling gate holds back on purpose",
        ),
        pytest.param(a_pod(**UNSCHEDULED), ["pod-pending"], id="a pod that no scheduler has looked at"),
        pytest.param(
            pod_with(a_status(ready=False, state="waiting", reason="ContainerCreating"), **PENDING),
            ["pod-pending"],
            id="a pod whose image is pulled for an hour",
        ),
        pytest.param(
            pod_with(a_status(ready=False, state="waiting", reason="ImagePullBackOff"), **PENDING),
            ["pod-image-pull"],
            id="a pod whose image does not exist: not pending as well",
        ),
        pytest.param(
            pod_with(
                a_status(ready=False, state="waiting", reason="ErrImagePull"), a_status("proxy", ready=True), **UNREADY
            ),
            ["pod-image-pull"],
            id="one container runs, the image of the other cannot be pulled: not not-ready as well",
        ),
        pytest.param(
            pod_with(a_status(ready=False, state="waiting", reason="CreateContainerConfigError"), **PENDING),
            ["pod-config-error"],
            id="a pod that names a missing ConfigMap",
        ),
        pytest.param(
            pod_with(
                a_status("migrate", init=True, ready=False),
                a_status(ready=False, state="waiting", reason="PodInitializing"),
                conditions=(a_condition("Initialized", "False"),),
                **PENDING,
            ),
            ["pod-init-stuck"],
            id="an init container that runs for an hour: not pending as well",
        ),
        pytest.param(
            pod_with(a_status("migrate", init=True, **BACK_OFF, **CRASHED_SOON), **PENDING),
            ["pod-crash-loop"],
            id="an init container that crash-loops: neither stuck nor pending as well",
        ),
        pytest.param(
            pod_with(a_status(**BACK_OFF, **CRASHED_SOON), **UNREADY),
            ["pod-crash-loop"],
            id="a container in back-off: not not-ready as well",
        ),
        pytest.param(
            pod_with(a_status(ready=False, **CRASHED_SOON), **UNREADY),
            ["pod-crash-loop"],
            id="a crash-looping container that runs for a moment and is not ready yet",
        ),
        pytest.param(
            pod_with(a_status(**CRASHED_SOON)), ["pod-crash-loop"], id="one that runs for a moment, ready already"
        ),
        pytest.param(
            pod_with(a_status(**BACK_OFF, **OOM), **UNREADY),
            ["pod-oom-killed"],
            id="a loop of OOM kills: not a crash loop as well",
        ),
        pytest.param(
            pod_with(a_status(ready=False, state="waiting", reason="RunContainerError", **CRASHED_SOON), **UNREADY),
            ["pod-crash-loop"],
            id="a command that cannot be started, between two attempts: not a configuration error as well",
        ),
        pytest.param(
            pod_with(a_status(**CRASHED | {"last_started_at": NOON - 40 * MINUTE})),
            ["pod-restarts"],
            id="a container that dies every 40 minutes",
        ),
        pytest.param(
            pod_with(a_status(ready=False), **UNREADY), ["pod-not-ready"], id="a container that is just not ready"
        ),
        pytest.param(a_pod(phase="Unknown", **UNREADY), ["pod-unknown"], id="a pod of which nothing is known"),
        pytest.param(
            a_pod(phase="Failed", reason="Evicted", statuses=(), owner=OF_REPLICA_SET, **UNREADY),
            ["pod-evicted"],
            id="an evicted pod: not failed as well",
        ),
        pytest.param(
            pod_with(a_status(ready=False, state="terminated", exit_code=1, reason="Error"), phase="Failed", **UNREADY),
            ["pod-failed"],
            id="a pod that failed",
        ),
        pytest.param(
            pod_with(
                a_status(ready=False, state="terminated", exit_code=137, reason="OOMKilled"), phase="Failed", **UNREADY
            ),
            ["pod-failed"],
            id="a pod that failed for lack of memory and is not restarted",
        ),
        pytest.param(
            a_pod(phase="Failed", owner=OF_JOB, **UNREADY), [], id="a failed pod of a Job: the Job's check tells"
        ),
        pytest.param(
            pod_with(a_status(**BACK_OFF, **OOM), deleted_at=NOON - 10 * MINUTE, **UNREADY),
            ["pod-stuck-terminating"],
            id="a crash-looping pod that cannot be deleted: only that",
        ),
        pytest.param(
            pod_with(a_status(ready=False), deleted_at=NOON + MINUTE, **UNREADY),
            [],
            id="a pod that is shutting down is not unready",
        ),
        pytest.param(
            pod_with(
                a_status("step-1", ready=False, state="terminated", exit_code=0, reason="Completed"),
                a_status("step-2"),
                owner=OF_JOB,
                **UNREADY,
            ),
            [],
            id="a pod of which one container has done its work and another goes on",
        ),
        pytest.param(
            a_pod(containers=(a_container(requests=Resources(), limits=Resources()),)),
            ["pod-no-requests"],
            id="a pod that asks for nothing",
        ),
        pytest.param(
            a_pod(containers=(a_container(requests=Resources()),), mirror=True),
            [],
            id="a static pod needs no requests",
        ),
    ],
)
def test_one_trouble_is_told_once(pod: PodRow, codes: list[str]) -> None:
    assert told(POD_CHECKS, pod, a_snapshot(pod, a_node())) == codes


@pytest.mark.parametrize(
    ("pod", "codes"),
    [
        pytest.param(
            pod_with(a_status(ready=False), **UNREADY),
            ["pod-on-not-ready-node"],
            id="not ready, since its node is down",
        ),
        pytest.param(a_pod(), ["pod-on-not-ready-node"], id="ready still, or so it is said"),
        pytest.param(pod_with(**PENDING), ["pod-on-not-ready-node"], id="not started, since its node is down"),
        pytest.param(
            pod_with(a_status("init", init=True, ready=False), **PENDING),
            ["pod-on-not-ready-node"],
            id="initializing when its node went down",
        ),
        pytest.param(
            a_pod(phase="Unknown", **UNREADY), ["pod-on-not-ready-node"], id="unknown, since its node is down"
        ),
        pytest.param(a_pod(owner=OF_DAEMON_SET, **UNREADY), [], id="of a DaemonSet: the node's own finding is enough"),
        pytest.param(a_pod(mirror=True, **UNREADY), [], id="a static pod: the node's own finding is enough"),
        pytest.param(a_pod(phase="Succeeded"), [], id="finished before"),
        pytest.param(a_pod(deleted_at=NOON - 10 * MINUTE), ["pod-stuck-terminating"], id="evicted, but still there"),
    ],
)
def test_on_a_node_that_is_down(pod: PodRow, codes: list[str]) -> None:
    assert told(POD_CHECKS, pod, a_snapshot(pod, NODE_DOWN)) == codes


@pytest.mark.parametrize("node", [a_node(), a_node("node-2", conditions=NODE_DOWN.conditions)])
def test_a_node_that_is_up_or_another_one_is_no_trouble(node: NodeRow) -> None:
    assert told(POD_CHECKS, a_pod(), a_snapshot(a_pod(), node)) == []


@pytest.mark.parametrize(
    ("pod", "probe", "codes"),
    [
        pytest.param(a_pod(), "Liveness", ["pod-liveness-failing"], id="liveness fails"),
        pytest.param(
            pod_with(a_status(**BACK_OFF, **CRASHED_SOON), **UNREADY),
            "Liveness",
            ["pod-crash-loop"],
            id="liveness fails in a loop: only the loop",
        ),
        pytest.param(
            pod_with(a_status(ready=False), **UNREADY),
            "Readiness",
            ["pod-readiness-failing"],
            id="readiness fails: not not-ready as well",
        ),
        pytest.param(a_pod(), "Readiness", [], id="readiness failed, but the pod stayed in service"),
        pytest.param(
            pod_with(a_status(**BACK_OFF, **CRASHED_SOON), **UNREADY),
            "Readiness",
            ["pod-crash-loop"],
            id="readiness fails between crashes: only the loop",
        ),
        pytest.param(a_pod(deleted_at=NOON + MINUTE, **UNREADY), "Readiness", [], id="readiness fails at shut-down"),
        pytest.param(a_pod(deleted_at=NOON + MINUTE), "Liveness", [], id="liveness fails at shut-down"),
    ],
)
def test_failing_probes(pod: PodRow, probe: str, codes: list[str]) -> None:
    event = a_warning(pod, message=f"{probe} probe failed: 503", field_path="spec.containers{app}", count=5)
    assert told(POD_CHECKS, pod, a_snapshot(pod, a_node(), event)) == codes


def test_a_full_container_is_told_of_both_its_resources() -> None:
    pod = a_pod()
    usage = {pod.key: a_usage(containers={"app": (100, 128 << 20)})}
    assert told(POD_CHECKS, pod, a_snapshot(pod, a_node(), usage=usage)) == [
        "pod-cpu-near-limit",
        "pod-memory-near-limit",
    ]
