"""Who leaves a node in which order, and who stays."""

from typing import Any

import pytest
from tests.support.rows import APP, a_daemon_set, a_pod, a_replica_set, owned_by

from auto_healing.actions.nodes.departure import Stays, departure, stays_because
from auto_healing.marks import DRAIN_ORDER, DRAIN_WAIT
from common.cluster.rows import PodRow

OWNER = owned_by(a_replica_set())


def a_served_pod(name: str = "web", **overrides: Any) -> PodRow:
    return a_pod(name, owner=OWNER, **overrides)


def labelled(**labels: str) -> dict[str, str]:
    names = {"order": DRAIN_ORDER, "drain": DRAIN_WAIT}
    return APP | {names[key]: value for key, value in labels.items()}


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        pytest.param(a_served_pod(), None, id="a pod of a Deployment leaves"),
        pytest.param(a_pod(owner=owned_by(a_daemon_set())), Stays.DAEMON_SET, id="one of a DaemonSet stays"),
        pytest.param(a_pod(mirror=True), Stays.MIRROR, id="a static one stays"),
        pytest.param(a_served_pod(phase="Succeeded"), Stays.FINISHED, id="one that has finished is ignored"),
        pytest.param(a_served_pod(phase="Failed"), Stays.FINISHED, id="one that has failed is ignored"),
        pytest.param(a_served_pod(labels=labelled(drain="skip")), Stays.SKIPPED, id="its label lets one stay"),
        pytest.param(a_served_pod(labels=labelled(drain="wait")), None, id="one to be waited for leaves"),
    ],
)
def test_who_stays_on_a_node(pod: PodRow, why: Stays | None) -> None:
    assert stays_because(pod) is why


@pytest.mark.parametrize(
    ("pods", "waves"),
    [
        pytest.param([], [], id="nobody leaves an empty node"),
        pytest.param(
            [a_served_pod("b"), a_served_pod("a")], [["a", "b"]], id="equals leave together, sorted by their names"
        ),
        pytest.param(
            [
                a_served_pod("dns", priority_class="system-cluster-critical"),
                a_served_pod("db", claims=("data",)),
                a_served_pod("web"),
            ],
            [["web"], ["db"], ["dns"]],
            id="storage leaves after plain pods, and critical ones last",
        ),
        pytest.param(
            [
                a_served_pod("late", labels=labelled(order="20")),
                a_served_pod("db", claims=("data",), labels=labelled(order="10")),
                a_served_pod("early", priority_class="system-node-critical"),
            ],
            [["early"], ["db"], ["late"]],
            id="the number on its label goes before all else",
        ),
        pytest.param(
            [a_served_pod("a", labels=labelled(order="soon")), a_served_pod("b")],
            [["a", "b"]],
            id="a number that nobody can read is none",
        ),
    ],
)
def test_in_which_order_pods_leave(pods: list[PodRow], waves: list[list[str]]) -> None:
    leaving = departure(pods)
    assert [[pod.name for pod in wave] for wave in leaving.waves] == waves
    assert len(leaving.pods) == len(pods)


def test_stuck_pods_are_counted_and_not_waited_for() -> None:
    pod = a_served_pod("stuck")
    leaving = departure([pod, a_served_pod("web")], stuck={pod.uid})
    assert [pod.name for pod in leaving.pods] == ["web"]
    assert leaving.stays == {Stays.STUCK: 1}


def test_bare_pods_are_those_that_would_be_evicted_and_lost() -> None:
    waiting = a_pod("waiting", labels=labelled(drain="wait"))
    assert [pod.name for pod in departure([a_pod("bare"), a_served_pod("web"), waiting]).bare] == ["bare"]
