"""Whatever a pod looks like, no check fails on it, and none names the same part twice."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.checks import seen
from tests.support.clock import NOON
from tests.support.rows import a_node, a_snapshot, a_usage, a_warning

from common.cluster.rows import Condition, Container, ContainerStatus, EventRow, OwnerRef, PodRow, Resources
from health_monitor.checks.pods import POD_CHECKS
from health_monitor.checks.pods.containers import IMAGE_REASONS, START_REASONS

NAMES = st.sampled_from(["app", "proxy"])
TIMES = st.none() | st.integers(-3 * 3600, 3600).map(lambda seconds: NOON + timedelta(seconds=seconds))
REASONS = st.sampled_from(["", "Error", "OOMKilled", "CrashLoopBackOff", *sorted(IMAGE_REASONS | START_REASONS)])
CODES = st.none() | st.sampled_from([0, 1, 137])
AMOUNTS = st.builds(Resources, cpu_millicores=st.integers(0, 100), memory_bytes=st.integers(0, 100))

STATUSES = st.builds(
    ContainerStatus,
    name=NAMES,
    init=st.booleans(),
    ready=st.booleans(),
    restarts=st.integers(0, 6),
    state=st.sampled_from(["", "running", "waiting", "terminated", "unheard of"]),
    reason=REASONS,
    message=st.sampled_from(["", 'Back-off pulling image "x:1"']),
    exit_code=CODES,
    finished_at=TIMES,
    last_reason=REASONS,
    last_exit_code=CODES,
    last_started_at=TIMES,
    last_finished_at=TIMES,
)
CONDITIONS = st.builds(
    Condition,
    type=st.sampled_from(["PodScheduled", "Initialized", "ContainersReady", "Ready", "shop.example/gate"]),
    status=st.sampled_from(["False", "Unknown", ""]),
    reason=st.sampled_from(["", "Unschedulable", "SchedulingGated"]),
    message=st.sampled_from(["", "0/3 nodes are available", "0/3 nodes are available: 3 Insufficient cpu."]),
    changed_at=TIMES,
)
CONTAINERS = st.builds(
    Container, name=NAMES, init=st.booleans(), sidecar=st.booleans(), requests=AMOUNTS, limits=AMOUNTS
)


def several(of: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, max_size=2, unique_by=lambda each: getattr(each, "name", each)).map(tuple)


PODS = st.builds(
    PodRow,
    uid=st.just("1"),
    name=st.just("pod"),
    namespace=st.just("shop"),
    labels=st.just({}),
    annotations=st.just({}),
    created_at=TIMES,
    deleted_at=TIMES,
    owner=st.none() | st.sampled_from(["Job", "ReplicaSet"]).map(lambda kind: OwnerRef(kind=kind, name="o", uid="2")),
    node=st.sampled_from(["", "node-1", "gone"]),
    phase=st.sampled_from(["", "Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    reason=st.sampled_from(["", "Evicted", "NodeShutdown"]),
    ready=st.booleans(),
    ready_changed_at=TIMES,
    started_at=TIMES,
    scheduled_at=TIMES,
    conditions=several(CONDITIONS),
    containers=several(CONTAINERS),
    statuses=several(STATUSES),
    limits=AMOUNTS,
    qos=st.sampled_from(["", "BestEffort", "Burstable"]),
)


def an_event(pod: PodRow, number: int, reason: str, message: str, at: tuple[object, object]) -> EventRow:
    return a_warning(pod, reason, name=f"e{number}", message=message, first_at=at[0], last_at=at[1])


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["Unhealthy", "Failed", "FailedMount", "BackOff"]),
        st.sampled_from(["", "Liveness probe failed: 500", "Readiness probe failed: 500", 'Failed to pull image "y"']),
        st.tuples(TIMES, TIMES),
    ),
    max_size=3,
)


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(pod=PODS, events=EVENTS, measured=st.booleans())
def test_no_check_fails_on_a_pod_whatever_it_looks_like(
    pod: PodRow, events: list[tuple[str, str, tuple[object, object]]], measured: bool
) -> None:
    warnings = [an_event(pod, number, *event) for number, event in enumerate(events)]
    usage = {pod.key: a_usage(containers={"app": (99, 99), "proxy": (1, 1)})} if measured else {}
    snapshot = a_snapshot(pod, a_node(), *warnings, usage=usage)
    for check in POD_CHECKS:
        symptoms = seen(check, pod, snapshot)
        parts = [symptom.part for symptom in symptoms]
        assert len(parts) == len(set(parts)), check.code
        assert all(symptom.message for symptom in symptoms), check.code
