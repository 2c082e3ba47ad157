"""What a container's status says: whether it crash-loops, ran out of memory, or waits for something that will not come.

All of it is read from one status, without memory of earlier ones, so that a restart of this service changes no answer.
"""

from datetime import datetime, timedelta

from common.cluster.rows import ContainerStatus, PodRow

# A crashed container waits 10 s, 20 s, 40 s, ... at most 5 min before it is started again, and the waiting time is
# forgotten after a run of 10 min: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
LONGEST_BACK_OFF = timedelta(minutes=5)
FORGIVEN_AFTER = timedelta(minutes=10)
LOOP_MEMORY = LONGEST_BACK_OFF + FORGIVEN_AFTER

IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
START_REASONS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
    }
)
_BETWEEN_CRASHES = frozenset({"CrashLoopBackOff", "RunContainerError", "PostStartHookError"})


def crash_looping(status: ContainerStatus, pod: PodRow, now: datetime) -> bool:
    """Whether the container is in a crash loop, also while it runs for a moment between two crashes.

    True while the kubelet itself would make it wait before the next start: so a loop is one steady answer.
    """
    if status.state == "waiting" and status.reason not in _BETWEEN_CRASHES:
        return False
    if status.state == "terminated" and status.exit_code == 0:
        return False
    if status.reason == "CrashLoopBackOff":
        return True
    ended = status.last_finished_at
    if status.restarts < 2 or ended is None or now - ended >= LOOP_MEMORY:
        return False
    run = last_run(status, pod)
    return status.last_exit_code != 0 if run is None else run < FORGIVEN_AFTER


def in_crash_loop(pod: PodRow, now: datetime) -> bool:
    """Whether one of its containers is: then that the pod is ready for a moment means nothing."""
    return any(status.restarts and crash_looping(status, pod, now) for status in pod.statuses)


def last_run(status: ContainerStatus, pod: PodRow) -> timedelta | None:
    """How long the run before the present one lasted; None when the API does not say."""
    started, ended = status.last_started_at, status.last_finished_at
    if started is None or ended is None:
        return None
    if pod.created_at is not None and started < pod.created_at:
        return timedelta(0)  # a container that could not be started is said to have started in 1970
    return ended - started


def out_of_memory(status: ContainerStatus) -> datetime | None:
    """When the container was killed for lack of memory, if its latest end was that."""
    if status.state == "terminated":
        return status.finished_at if status.reason == "OOMKilled" else None
    return status.last_finished_at if status.last_reason == "OOMKilled" else None


def waits_in_vain(status: ContainerStatus) -> bool:
    """Whether its image or its configuration keeps the container from starting."""
    return status.state == "waiting" and (status.reason in IMAGE_REASONS or status.reason in START_REASONS)


def told_by_container(pod: PodRow, now: datetime) -> bool:
    """Whether a check of single containers tells why the pod is not ready, so that the pod as a whole need not."""
    return any(waits_in_vain(status) or crash_looping(status, pod, now) for status in pod.statuses)


def noun(status: ContainerStatus) -> str:
    return f"Init container {status.name}" if status.init else f"Container {status.name}"
