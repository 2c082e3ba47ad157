"""What pods ask for, may have and use."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.checks import seen
from tests.support.clock import NOON
from tests.support.rows import a_container, a_pod, a_snapshot, a_usage

from common.cluster.rows import Container, PodRow, Resources
from common.cluster.store import Store
from health_monitor.checks.pods import pod_cpu_near_limit, pod_memory_near_limit, pod_no_requests

MEBIBYTE = 1 << 20
LIMITS = Resources(cpu_millicores=1000, memory_bytes=1000 * MEBIBYTE)
NOTHING = Resources()


def limited(limits: Resources = LIMITS, **fields: Any) -> PodRow:
    return a_pod(containers=(a_container(limits=limits), a_container("proxy", limits=NOTHING)), **fields)


def using(pod: PodRow, *, cpu: int = 0, mebibytes: int = 0, container: str = "app") -> Store:
    usage = a_usage(containers={container: (cpu, mebibytes * MEBIBYTE), "proxy": (5000, 5000 * MEBIBYTE)})
    return a_snapshot(pod, usage={pod.key: usage})


@pytest.mark.parametrize(
    ("used", "told_of"),
    [
        pytest.param(899, False, id="just below 90 %"),
        pytest.param(900, True, id="90 %"),
        pytest.param(1200, True, id="above the limit, between two samples"),
        pytest.param(0, False, id="nothing"),
    ],
)
def test_near_the_limit(used: int, told_of: bool) -> None:
    pod = limited()
    assert bool(seen(pod_memory_near_limit.CHECK, pod, using(pod, mebibytes=used))) is told_of
    assert bool(seen(pod_cpu_near_limit.CHECK, pod, using(pod, cpu=used))) is told_of


def test_near_the_limit_tells_numbers_and_waits() -> None:
    pod = limited()
    (memory,) = seen(pod_memory_near_limit.CHECK, pod, using(pod, mebibytes=955))
    assert "Container app uses 95 % of its memory limit of 1000 MiB" in memory.message
    assert memory.evidence == {"container": "app", "used_percent": 95, "memory_limit_bytes": 1000 * MEBIBYTE}
    assert (memory.part, memory.since, memory.after) == ("app", None, timedelta(minutes=5))
    (cpu,) = seen(pod_cpu_near_limit.CHECK, pod, using(pod, cpu=950))
    assert "Container app uses 95 % of its CPU limit of 1000m" in cpu.message
    assert cpu.evidence == {"container": "app", "used_percent": 95, "cpu_limit_millicores": 1000}
    assert (cpu.part, cpu.since, cpu.after) == ("app", None, timedelta(minutes=15))


@pytest.mark.parametrize(
    ("pod", "container"),
    [
        pytest.param(limited(Resources()), "app", id="no limit"),
        pytest.param(limited(), "gone", id="the container is not measured"),
        pytest.param(limited(phase="Succeeded"), "app", id="finished"),
        pytest.param(limited(deleted_at=NOON), "app", id="deleted"),
    ],
)
def test_nothing_is_near_a_limit(pod: PodRow, container: str) -> None:
    snapshot = using(pod, cpu=9000, mebibytes=9000, container=container)
    assert seen(pod_memory_near_limit.CHECK, pod, snapshot) == []
    assert seen(pod_cpu_near_limit.CHECK, pod, snapshot) == []


def test_without_measurements_nothing_is_said() -> None:
    assert seen(pod_memory_near_limit.CHECK, limited()) == []
    assert seen(pod_cpu_near_limit.CHECK, limited()) == []


# --- requests

ASKS = a_container("app")
ASKS_NOTHING = a_container("app", requests=NOTHING)


@pytest.mark.parametrize(
    ("containers", "named"),
    [
        pytest.param((ASKS,), "", id="asks for both"),
        pytest.param((ASKS_NOTHING,), "app", id="asks for nothing"),
        pytest.param((a_container(requests=Resources(cpu_millicores=1)),), "", id="asks for CPU alone"),
        pytest.param((a_container(requests=Resources(memory_bytes=1)),), "", id="asks for memory alone"),
        pytest.param((ASKS, a_container("proxy", requests=NOTHING)), "proxy", id="one of two"),
        pytest.param((ASKS_NOTHING, a_container("proxy", requests=NOTHING)), "app, proxy", id="both of two"),
        pytest.param((ASKS, a_container("init", init=True, requests=NOTHING)), "", id="an init container, which ends"),
        pytest.param(
            (ASKS, a_container("proxy", init=True, sidecar=True, requests=NOTHING)),
            "proxy",
            id="a sidecar, which stays",
        ),
    ],
)
def test_no_requests(containers: tuple[Container, ...], named: str) -> None:
    symptoms = seen(pod_no_requests.CHECK, a_pod(containers=containers))
    assert [symptom.evidence["containers"] for symptom in symptoms] == ([named] if named else [])


@pytest.mark.parametrize(
    ("qos", "told_of"),
    [
        pytest.param("BestEffort", True, id="nobody asks for it"),
        pytest.param("", True, id="its class is not known"),
        pytest.param("Burstable", False, id="the pod as a whole asks"),
        pytest.param("Guaranteed", False, id="the pod as a whole asks and is limited"),
    ],
)
def test_a_pod_may_ask_for_its_containers(qos: str, told_of: bool) -> None:
    assert bool(seen(pod_no_requests.CHECK, a_pod(containers=(ASKS_NOTHING,), qos=qos))) is told_of


def test_pods_that_say_the_same_share_one_answer() -> None:
    one, other = (seen(pod_no_requests.CHECK, a_pod(name, containers=(ASKS_NOTHING,))) for name in ("one", "other"))
    assert one[0] is other[0]


@pytest.mark.parametrize(
    ("containers", "beginning"),
    [
        pytest.param((ASKS_NOTHING,), "Container app asks for", id="one"),
        pytest.param((ASKS_NOTHING, a_container("b", requests=NOTHING)), "Containers app, b ask for", id="two"),
    ],
)
def test_no_requests_in_good_english(containers: tuple[Container, ...], beginning: str) -> None:
    (symptom,) = seen(pod_no_requests.CHECK, a_pod(containers=containers))
    assert symptom.message.startswith(beginning)


@pytest.mark.parametrize("fields", [{"phase": "Succeeded"}, {"deleted_at": NOON}, {"mirror": True}])
def test_requests_do_not_matter(fields: dict[str, Any]) -> None:
    assert seen(pod_no_requests.CHECK, a_pod(containers=(ASKS_NOTHING,), **fields)) == []
