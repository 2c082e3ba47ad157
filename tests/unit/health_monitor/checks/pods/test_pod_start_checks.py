"""Pods that do not start: no node, no image, no configuration, initialization that does not end."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.checks import seen, told
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_pod, a_snapshot, a_status, a_warning

from common.cluster.rows import PodRow
from health_monitor.checks.pods import pod_config_error, pod_image_pull, pod_init_stuck, pod_pending, pod_unschedulable

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
NONE_FITS = (
    "0/6 nodes are available: 3 Insufficient memory, 1 Insufficient cpu, 2 node(s) had untolerated taint {role: db}. "
    "preemption: 0/6 nodes are available: 6 Preemption is not helpful for scheduling."
)


def waiting(reason: str, message: str = "", **fields: Any) -> PodRow:
    """A pod of five minutes that has a node, and whose only container waits."""
    status = a_status(ready=False, state="waiting", reason=reason, message=message)
    return pending(**({"statuses": (status,)} | fields))


def pending(**fields: Any) -> PodRow:
    began = dict.fromkeys(("created_at", "scheduled_at", "ready_changed_at", "started_at"), NOON - 5 * MINUTE)
    return a_pod(**({"phase": "Pending", "ready": False} | began | fields))


# --- no node


def unscheduled(message: str = NONE_FITS, reason: str = "Unschedulable", **fields: Any) -> PodRow:
    condition = a_condition("PodScheduled", "False", reason=reason, message=message, changed_at=NOON - 5 * MINUTE)
    return pending(**({"node": "", "conditions": (condition,)} | fields))


@pytest.mark.parametrize(
    ("pod", "told_of"),
    [
        pytest.param(unscheduled(), True, id="no node fits for 5 minutes"),
        pytest.param(
            unscheduled(conditions=(a_condition("PodScheduled", "False", changed_at=NOON - 5 * MINUTE + SECOND),)),
            False,
            id="not quite 5 minutes",
        ),
        pytest.param(unscheduled(reason="SchedulingGated"), False, id="held back by a scheduling gate"),
        pytest.param(unscheduled(node="node-1"), False, id="has a node"),
        pytest.param(unscheduled(deleted_at=NOON), False, id="deleted"),
        pytest.param(pending(node=""), False, id="the scheduler has not said anything"),
    ],
)
def test_unschedulable(pod: PodRow, told_of: bool) -> None:
    assert bool(told([pod_unschedulable.CHECK], pod)) is told_of


@pytest.mark.parametrize(
    ("message", "reasons"),
    [
        pytest.param(
            NONE_FITS,
            "Insufficient cpu, Insufficient memory, node(s) had untolerated taint {role: db}",
            id="reasons without counts, sorted",
        ),
        pytest.param(
            NONE_FITS.replace("3 Insufficient", "2 Insufficient").replace("0/6", "0/5"),
            "Insufficient cpu, Insufficient memory, node(s) had untolerated taint {role: db}",
            id="the same when a node goes: words that hold still",
        ),
        pytest.param(
            "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "pod has unbound immediate PersistentVolumeClaims",
            id="a reason that counts no nodes",
        ),
        pytest.param("no nodes available to schedule pods", "no nodes available to schedule pods", id="other words"),
    ],
)
def test_the_schedulers_reasons(message: str, reasons: str) -> None:
    (symptom,) = seen(pod_unschedulable.CHECK, unscheduled(message))
    assert symptom.evidence == {"reason": "Unschedulable", "scheduler": reasons}
    assert reasons in symptom.message


def test_a_scheduler_that_gives_no_reasons_is_quoted_with_its_reason() -> None:
    (symptom,) = seen(pod_unschedulable.CHECK, unscheduled(""))
    assert symptom.message == "No node can take the pod: Unschedulable"


# --- a node, but no start


@pytest.mark.parametrize(
    ("pod", "minutes"),
    [
        pytest.param(waiting("ContainerCreating"), 10, id="image pulled, or volumes set up: 10 minutes"),
        pytest.param(pending(statuses=()), 10, id="the kubelet has not reported anything: 10 minutes"),
        pytest.param(pending(node=""), 3, id="no scheduler looked at it: 3 minutes"),
        pytest.param(waiting("ImagePullBackOff"), None, id="image: told by its container"),
        pytest.param(waiting("CreateContainerConfigError"), None, id="configuration: told by its container"),
        pytest.param(unscheduled(), None, id="no node fits: told as that"),
        pytest.param(
            pending(statuses=(a_status("init", init=True, ready=False),)),
            None,
            id="an init container runs: told as that",
        ),
        pytest.param(
            pending(statuses=(a_status("init", init=True, ready=False, state="waiting", reason="PodInitializing"),)),
            10,
            id="the first init container waits for its image: 10 minutes",
        ),
        pytest.param(waiting("ContainerCreating", deleted_at=NOON), None, id="deleted"),
        pytest.param(a_pod(), None, id="runs"),
    ],
)
def test_pending(pod: PodRow, minutes: int | None) -> None:
    assert [symptom.after for symptom in seen(pod_pending.CHECK, pod)] == ([minutes * MINUTE] if minutes else [])


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        pytest.param(
            "FailedMount",
            'configmap "app" not found',
            'cannot be mounted: configmap "app" not found',
            id="a volume, with details",
        ),
        pytest.param(
            "FailedAttachVolume",
            "Multi-Attach error",
            "attached to the node: Multi-Attach error",
            id="a disk, with details",
        ),
        pytest.param(
            "FailedCreatePodSandBox",
            "rpc error 4f3a",
            "the pod's network or sandbox",
            id="the network, without the random id",
        ),
    ],
)
def test_a_warning_explains_a_pending_pod_and_shortens_the_wait(reason: str, message: str, words: str) -> None:
    pod = waiting("ContainerCreating")
    (symptom,) = seen(pod_pending.CHECK, pod, a_snapshot(pod, a_warning(pod, reason, message=message)))
    assert symptom.message.endswith(words)
    assert (symptom.since, symptom.after) == (NOON - 5 * MINUTE, 3 * MINUTE)
    assert symptom.evidence == {"node": "node-1", "warning": reason}


def test_of_several_warnings_the_oldest_is_told_so_that_the_words_hold_still() -> None:
    pod = waiting("ContainerCreating")
    first = a_warning(pod, "FailedMount", name="a", message="timed out", first_at=NOON - 4 * MINUTE)
    second = a_warning(pod, "FailedMount", name="b", message="no such secret", first_at=NOON - 3 * MINUTE)
    (symptom,) = seen(pod_pending.CHECK, pod, a_snapshot(pod, second, first))
    assert symptom.message.endswith("timed out")


@pytest.mark.parametrize(
    ("reason", "last_at"),
    [
        pytest.param("FailedMount", NOON - 10 * MINUTE, id="a warning that has been silent for 10 minutes"),
        pytest.param("BackOff", NOON, id="a warning of something else"),
    ],
)
def test_what_explains_nothing(reason: str, last_at: Any) -> None:
    pod = waiting("ContainerCreating")
    (symptom,) = seen(pod_pending.CHECK, pod, a_snapshot(pod, a_warning(pod, reason, last_at=last_at)))
    assert symptom.evidence["warning"] == ""
    assert symptom.after == 10 * MINUTE


# --- initialization


@pytest.mark.parametrize(
    ("status", "told_of"),
    [
        pytest.param(a_status("wait", init=True, ready=False), True, id="an init container runs and runs"),
        pytest.param(
            a_status("wait", init=True, ready=False, state="terminated", exit_code=1),
            True,
            id="ended badly, not tried again",
        ),
        pytest.param(
            a_status("wait", init=True, ready=True, state="terminated", exit_code=0), False, id="it has ended well"
        ),
        pytest.param(a_status("proxy", init=True, ready=True), False, id="a sidecar runs, as it should"),
        pytest.param(
            a_status("wait", init=True, ready=False, state="waiting", reason="ErrImagePull"),
            False,
            id="its image: told as that",
        ),
        pytest.param(a_status("app", ready=False), False, id="no init container"),
    ],
)
def test_initialization_that_does_not_end(status: Any, told_of: bool) -> None:
    since = NOON - 10 * MINUTE
    pod = pending(statuses=(status,), conditions=(a_condition("Initialized", "False", changed_at=since),))
    assert bool(told([pod_init_stuck.CHECK], pod)) is told_of
    assert told([pod_init_stuck.CHECK], pod, now=NOON - SECOND) == []


def test_initialization_names_the_container_at_work() -> None:
    done = a_status("first", init=True, ready=True, state="terminated", exit_code=0)
    (symptom,) = seen(pod_init_stuck.CHECK, pending(statuses=(done, a_status("second", init=True, ready=False))))
    assert symptom.part == "second"
    assert "init container second, which still runs" in symptom.message
    assert symptom.since == NOON - 5 * MINUTE, "without the condition it counts from scheduling"


@pytest.mark.parametrize("over", [{"phase": "Running"}, {"node": ""}, {"deleted_at": NOON}])
def test_initialization_is_over_or_not_begun(over: dict[str, Any]) -> None:
    assert seen(pod_init_stuck.CHECK, pending(statuses=(a_status("wait", init=True, ready=False),), **over)) == []


# --- images


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "ImageInspectError"])
def test_a_failing_pull_is_told_after_two_minutes(reason: str) -> None:
    (symptom,) = seen(pod_image_pull.CHECK, waiting(reason))
    assert (symptom.since, symptom.after) == (NOON - 5 * MINUTE, 2 * MINUTE)


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull"])
def test_a_name_that_can_never_be_pulled_is_told_at_once(reason: str) -> None:
    (symptom,) = seen(pod_image_pull.CHECK, waiting(reason))
    assert symptom.after == timedelta(0)


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        pytest.param("ErrImagePull", "manifest unknown", "no such image or tag", id="no such tag"),
        pytest.param(
            "ErrImagePull",
            "pull access denied, repository does not exist or may require auth",
            "pull secret",
            id="private",
        ),
        pytest.param("ErrImagePull", "429 Too Many Requests: toomanyrequests", "limits how often", id="rate limit"),
        pytest.param(
            "ErrImagePull", "dial tcp: lookup registry.invalid: no such host", "cannot be resolved", id="no such host"
        ),
        pytest.param("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout", "cannot be reached", id="unreachable"),
        pytest.param(
            "ErrImagePull", "x509: certificate signed by unknown authority", "does not trust", id="certificate"
        ),
        pytest.param("ErrImagePull", "write /var/lib: no space left on device", "disk is full", id="disk full"),
        pytest.param("ErrImagePull", "no match for platform in manifest", "architecture", id="wrong architecture"),
        pytest.param("SignatureValidationFailed", "", "signature is not accepted", id="signature"),
        pytest.param("InvalidImageName", 'couldn\'t parse image name "a::b"', "not valid", id="not a name"),
        pytest.param("ErrImageNeverPull", "", "imagePullPolicy is Never", id="never pulled"),
        pytest.param(
            "ImagePullBackOff", 'Back-off pulling image "app:1"', "see the pod's events", id="backing off, no answer"
        ),
    ],
)
def test_the_registrys_answer_is_explained(reason: str, message: str, cause: str) -> None:
    (symptom,) = seen(pod_image_pull.CHECK, waiting(reason, message))
    assert cause in str(symptom.evidence["cause"])
    assert cause in symptom.message


def test_a_pull_reads_the_same_while_it_fails_and_while_the_kubelet_backs_off() -> None:
    failing = waiting("ErrImagePull", 'failed to pull image "shop/app:9": manifest unknown')
    backing_off = waiting("ImagePullBackOff", 'Back-off pulling image "shop/app:9"')
    event = a_warning(
        failing,
        "Failed",
        message='Failed to pull image "shop/app:9": manifest unknown',
        field_path="spec.containers{app}",
    )
    of_another = a_warning(failing, "Failed", name="z", message="denied", field_path="spec.containers{proxy}")
    (one,) = seen(pod_image_pull.CHECK, failing, a_snapshot(failing, event, of_another))
    (other,) = seen(pod_image_pull.CHECK, backing_off, a_snapshot(backing_off, event, of_another))
    assert one == other
    assert one.evidence["image"] == "shop/app:9"


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(), id="runs"),
        pytest.param(waiting("ContainerCreating"), id="is being pulled"),
        pytest.param(waiting("ImagePullBackOff", deleted_at=NOON), id="deleted"),
        pytest.param(waiting("ImagePullBackOff", phase="Failed"), id="failed"),
    ],
)
def test_no_failing_pull(pod: PodRow) -> None:
    assert seen(pod_image_pull.CHECK, pod) == []


# --- configuration


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        pytest.param(
            "CreateContainerConfigError", 'secret "db" not found', 'secret "db" not found', id="the kubelet's words"
        ),
        pytest.param("CreateContainerConfigError", "", "ConfigMap, Secret or key", id="no words: configuration"),
        pytest.param("CreateContainerError", "", "refuses to make it", id="no words: runtime"),
        pytest.param("RunContainerError", "", "cannot start it", id="no words: start"),
        pytest.param("PostStartHookError", "", "lifecycle hook failed", id="no words: hook"),
    ],
)
def test_a_container_that_cannot_be_created(reason: str, message: str, words: str) -> None:
    (symptom,) = seen(pod_config_error.CHECK, waiting(reason, message))
    assert words in symptom.message
    assert reason in symptom.message
    assert (symptom.since, symptom.after) == (NOON - 5 * MINUTE, 30 * SECOND)


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(waiting("ContainerCreating"), id="is being created"),
        pytest.param(waiting("CreateContainerError", deleted_at=NOON), id="deleted"),
        pytest.param(waiting("CreateContainerError", phase="Failed"), id="failed"),
    ],
)
def test_no_configuration_error(pod: PodRow) -> None:
    assert seen(pod_config_error.CHECK, pod) == []
