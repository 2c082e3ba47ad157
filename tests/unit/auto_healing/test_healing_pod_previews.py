"""What actions on pods would do, and why they would not, from rows alone."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.rows import (
    a_claim,
    a_deployment,
    a_node,
    a_pdb,
    a_pod,
    a_replica_set,
    a_snapshot,
    a_stateful_set,
    an_hpa,
    owned_by,
)

from auto_healing.actions.action import Action, Preview
from auto_healing.actions.pods import POD_ACTIONS
from auto_healing.actions.pods.delete_pod import DeletePod
from auto_healing.actions.pods.evict_pod import EvictPod
from auto_healing.actions.pods.restart_surge_first import RestartSurgeFirst
from auto_healing.actions.pods.surge import Way, surge_of
from common.cluster.rows import DeploymentRow, OwnerRef, PodRow, Row
from common.cluster.snapshot import SourceState
from common.cluster.store import Store

SURGES = {"max_surge": "25%", "max_unavailable": "25%"}
GONE_SOON = NOON + timedelta(seconds=30)


def a_web(replicas: int = 1, **overrides: Any) -> tuple[DeploymentRow, Row]:
    """A Deployment with its ReplicaSet."""
    deployment = a_deployment("web", replicas=replicas, **(SURGES | overrides))
    return deployment, a_replica_set("web-1", replicas=replicas, owner=owned_by(deployment))


def its_pod(replica_set: Row, name: str = "web-1-a", **overrides: Any) -> PodRow:
    return a_pod(name, **({"owner": owned_by(replica_set)} | overrides))


def owned_pod(**overrides: Any) -> tuple[PodRow, tuple[Row, ...]]:
    deployment, replica_set = a_web()
    return its_pod(replica_set, **overrides), (deployment, replica_set, a_node())


def preview(action: Action, target: Row, *rows: Row, **sources: SourceState) -> Preview:
    return action.preview(target, a_snapshot(target, *rows, sources=sources), {}, NOON)


@pytest.mark.parametrize("action", [DeletePod(), EvictPod()], ids=lambda action: action.code)
@pytest.mark.parametrize(
    ("pod", "words"),
    [
        pytest.param({"owner": None}, "has no controller", id="a bare pod is nobody's to make again"),
        pytest.param({"mirror": True}, "static pod of node node-1", id="a static pod is the kubelet's"),
        pytest.param({"deleted_at": GONE_SOON}, "is being deleted already", id="a pod that goes is left to go"),
        pytest.param({"node": "node-9"}, "node node-9 of web-1-a is gone", id="its node is gone"),
        pytest.param(
            {"owner": OwnerRef(kind="ReplicaSet", name="old", uid="u")}, "ReplicaSet old", id="the owner is gone"
        ),
        pytest.param(
            {"owner": OwnerRef(kind="ReplicaSet", name="web-1", uid="another")},
            "is gone: nobody would make",
            id="the owner was made again and does not own it",
        ),
        pytest.param(
            {"owner": OwnerRef(kind="Job", name="import", uid="u"), "phase": "Failed"},
            "clean-jobs",
            id="a finished pod of a Job is a record",
        ),
    ],
)
def test_a_pod_that_must_stay_is_refused_with_a_sentence(action: Action, pod: dict[str, Any], words: str) -> None:
    target, rows = owned_pod(**pod)
    told = preview(action, target, *rows)
    assert words in told.refusal
    assert not told.displaced


@pytest.mark.parametrize("action", [DeletePod(), EvictPod()], ids=lambda action: action.code)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("DaemonSet", "its DaemonSet makes no other one elsewhere"),
        ("StatefulSet", "reschedule-from-node is for this"),
        ("Rollout", "reschedule-from-node is for this"),
    ],
)
def test_nobody_ends_pods_of_a_dead_node(action: Action, kind: str, words: str) -> None:
    pod = a_pod(owner=OwnerRef(kind=kind, name="x", uid="x"))
    dark = a_node(conditions=())
    sources = {"DaemonSet": SourceState.UNSEEN, "StatefulSet": SourceState.UNSEEN}
    assert words in preview(action, pod, dark, **sources).refusal


@pytest.mark.parametrize("action", [DeletePod(), EvictPod()], ids=lambda action: action.code)
@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param({}, id="a healthy pod"),
        pytest.param({"ready": False, "phase": "Running"}, id="a pod that is not Ready"),
        pytest.param({"phase": "Pending", "node": "", "ready": False}, id="a pod that was never placed"),
        pytest.param({"phase": "Failed", "node": "node-9", "ready": False}, id="a failed pod of a node that is gone"),
        pytest.param({"owner": OwnerRef(kind="Rollout", name="web", uid="u")}, id="a pod of an unwatched kind"),
    ],
)
def test_a_pod_that_its_controller_makes_again_may_go(action: Action, overrides: dict[str, Any]) -> None:
    target, rows = owned_pod(**overrides)
    told = preview(action, target, *rows)
    assert told.refusal == ""
    assert [ref.uid for ref in told.displaced] == [target.uid]
    assert told.expected_seconds > 0


def test_an_owner_that_cannot_be_seen_is_not_taken_for_gone() -> None:
    pod, (_, _, node) = owned_pod()
    assert "is gone" in preview(DeletePod(), pod, node).refusal
    assert not preview(DeletePod(), pod, node, ReplicaSet=SourceState.STALE).refusal


NO_ROOM = {"disruptions_allowed": 0, "current_healthy": 2}


@pytest.mark.parametrize(
    ("pod", "pdbs", "deleted", "evicted"),
    [
        pytest.param({}, [a_pdb()], "", "", id="a budget with room"),
        pytest.param({}, [a_pdb(**NO_ROOM)], "has no room", "", id="a budget without room now"),
        pytest.param({"ready": False}, [a_pdb(**NO_ROOM)], "", "", id="a pod that the budget does not count"),
        pytest.param(
            {},
            [a_pdb(**NO_ROOM, desired_healthy=3)],
            "has no room",
            "wants 3 healthy of 3",
            id="a budget that needs every pod",
        ),
        pytest.param(
            {}, [a_pdb(**NO_ROOM, max_unavailable="0")], "has no room", "it never lets", id="a budget of none missing"
        ),
        pytest.param(
            {}, [a_pdb(**NO_ROOM, desired_healthy=3, generation=2)], "has no room", "", id="a budget not yet counted"
        ),
        pytest.param({}, [a_pdb(), a_pdb("second")], "", "(checkout, second)", id="two budgets"),
        pytest.param(
            {"phase": "Pending", "ready": False}, [a_pdb(), a_pdb("second")], "", "", id="two budgets of what runs not"
        ),
    ],
)
def test_budgets_stop_what_goes_past_them_and_what_they_never_allow(
    pod: dict[str, Any], pdbs: Sequence[Row], deleted: str, evicted: str
) -> None:
    target, rows = owned_pod(**pod)
    for action, words in ((DeletePod(), deleted), (EvictPod(), evicted)):
        refusal = preview(action, target, *rows, *pdbs).refusal
        assert words in refusal
        assert bool(words) == bool(refusal)


def test_an_eviction_that_must_wait_says_for_whom() -> None:
    target, rows = owned_pod()
    first, *_ = preview(EvictPod(), target, *rows, a_pdb(**NO_ROOM)).changes
    assert "waits until PodDisruptionBudget checkout has room" in first


@pytest.mark.parametrize(
    ("spec", "aim", "way"),
    [
        pytest.param({}, "pod", Way.ROLLOUT, id="a single replica, usual strategy"),
        pytest.param({}, "deployment", Way.ROLLOUT, id="its Deployment"),
        pytest.param(
            {"max_surge": "0", "max_unavailable": "1"}, "pod", Way.EXTRA_POD, id="a single replica that does not surge"
        ),
        pytest.param(
            {"max_surge": "1", "max_unavailable": "1"}, "pod", Way.EXTRA_POD, id="a single replica that may be missing"
        ),
        pytest.param({"replicas": 4}, "pod", Way.EXTRA_POD, id="one pod of several"),
        pytest.param(
            {"replicas": 4, "max_surge": "1", "max_unavailable": "0"},
            "deployment",
            Way.ROLLOUT,
            id="all pods, none of which may be missing",
        ),
    ],
)
def test_how_another_pod_is_started_first(spec: dict[str, Any], aim: str, way: Way) -> None:
    deployment, replica_set = a_web(**spec)
    pod = its_pod(replica_set)
    target = pod if aim == "pod" else deployment
    surge = surge_of(target, a_snapshot(deployment, replica_set, pod, a_node()))
    assert (surge.refusal, surge.way) == ("", way)
    told = preview(RestartSurgeFirst(), target, deployment, replica_set, pod, a_node())
    assert [ref.name for ref in told.displaced] == [pod.name]


@pytest.mark.parametrize(
    ("spec", "pod", "more", "words"),
    [
        pytest.param({"strategy": "Recreate"}, {}, [], "strategy Recreate", id="pods that must not run side by side"),
        pytest.param({"paused": True}, {}, [], "is paused", id="a paused Deployment"),
        pytest.param({}, {"claims": ("data",)}, [], "mounts data", id="a claim of which nothing is known"),
        pytest.param(
            {},
            {"claims": ("data",)},
            [a_claim("data", access_modes=("ReadWriteOnce",))],
            "only one node may write",
            id="a volume for one node",
        ),
        pytest.param({"observed_generation": 0}, {}, [], "was changed just now", id="a change not looked at"),
        pytest.param({"deleted_at": GONE_SOON}, {}, [], "being deleted", id="a Deployment that goes"),
        pytest.param({"replicas": 3}, {}, [an_hpa("web")], "HorizontalPodAutoscaler web would", id="an autoscaler"),
        pytest.param(
            {"replicas": 3, "labels": {"argocd.argoproj.io/instance": "shop"}}, {}, [], "Argo CD", id="kept in Git"
        ),
        pytest.param({}, {"owner": None}, [], "has no controller", id="a bare pod"),
    ],
)
def test_where_no_other_pod_can_be_first(
    spec: dict[str, Any], pod: dict[str, Any], more: Sequence[Row], words: str
) -> None:
    deployment, replica_set = a_web(**spec)
    target = its_pod(replica_set, **pod)
    assert words in preview(RestartSurgeFirst(), target, deployment, replica_set, a_node(), *more).refusal


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param({"access_modes": ("ReadWriteMany",)}, id="for many nodes"),
        pytest.param({"owner": OwnerRef(kind="Pod", name="web-1-a", uid="u")}, id="of the pod alone"),
    ],
)
def test_a_volume_that_a_second_pod_can_have_is_no_obstacle(claim: dict[str, Any]) -> None:
    deployment, replica_set = a_web()
    target = its_pod(replica_set, claims=("data",))
    assert not preview(RestartSurgeFirst(), target, deployment, replica_set, a_node(), a_claim("data", **claim)).refusal


def test_a_pod_with_a_name_of_its_own_has_no_second() -> None:
    database = a_stateful_set("db")
    pod = a_pod("db-0", owner=owned_by(database))
    assert "StatefulSet db: no second one" in preview(RestartSurgeFirst(), pod, database, a_node()).refusal


def test_a_deployment_whose_pods_may_be_missing_is_for_a_plain_restart() -> None:
    deployment, replica_set = a_web(4)
    assert "restart-rollout does that" in preview(RestartSurgeFirst(), deployment, replica_set, a_node()).refusal


def test_two_templates_at_once_are_a_rollout_under_way() -> None:
    deployment, replica_set = a_web(2, updated_replicas=1)
    pods = [its_pod(replica_set, f"web-{n}", labels={"app": "checkout", "pod-template-hash": n}) for n in "ab"]
    assert "under way" in preview(RestartSurgeFirst(), pods[0], deployment, replica_set, a_node(), pods[1]).refusal


@pytest.mark.parametrize("action", POD_ACTIONS, ids=lambda action: action.code)
def test_wrong_requests_say_what_is_right(action: Action) -> None:
    target, rows = owned_pod()
    snapshot: Store = a_snapshot(target, *rows)
    with pytest.raises(ValueError, match="there is no parameter grace"):
        action.preview(target, snapshot, {"grace": 0}, NOON)
    with pytest.raises(ValueError, match="not for Node"):
        action.preview(a_node(), snapshot, {}, NOON)
