"""What actions on rollouts would do, and why they would not, from rows alone."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.rows import (
    a_condition,
    a_daemon_set,
    a_deployment,
    a_node,
    a_pod,
    a_replica_set,
    a_snapshot,
    a_stateful_set,
    owned_by,
)

from auto_healing.actions.action import Action, Preview
from auto_healing.actions.rollouts import ROLLOUT_ACTIONS
from auto_healing.actions.rollouts.healthy import last_healthy, none_known
from auto_healing.actions.rollouts.pause_rollout import PauseRollout
from auto_healing.actions.rollouts.progress import complete, extra_pods, missing_pods
from auto_healing.actions.rollouts.restart_rollout import RestartRollout
from auto_healing.actions.rollouts.roll_back import RollBack
from auto_healing.actions.rollouts.templates import merge_patch, same, same_but_restarted
from auto_healing.plan import Parameters
from common.cluster.rows import DeploymentRow, OwnerRef, ReplicaSetRow, Row, WorkloadRow

HOUR = timedelta(hours=1)
STUCK = {"updated_replicas": 1, "current_replicas": 4}


class Version(NamedTuple):
    number: int
    created_at: datetime
    ready: int = 0
    name: str = "web"


def preview(action: Action, target: Row, *rows: Row, parameters: Parameters | None = None) -> Preview:
    return action.preview(target, a_snapshot(target, *rows), parameters or {}, NOON)


def revisions(deployment: DeploymentRow, *ready: int, apart: timedelta = HOUR) -> list[ReplicaSetRow]:
    """ReplicaSets, the oldest first and the last an hour old; each with so many ready pods."""
    begin = NOON - apart * len(ready)
    return [
        a_replica_set(
            f"web-{number}",
            replicas=count,
            ready_replicas=count,
            revision=str(number),
            owner=owned_by(deployment),
            created_at=begin + apart * (number - 1),
        )
        for number, count in enumerate(ready, 1)
    ]


def a_pair(number: int = 2) -> tuple[DeploymentRow, list[ReplicaSetRow]]:
    deployment = a_deployment("web", **STUCK)
    return deployment, revisions(deployment, *([2] * number))


@pytest.mark.parametrize("action", [RestartRollout(), RollBack()], ids=lambda action: action.code)
@pytest.mark.parametrize(
    ("workload", "words"),
    [
        pytest.param(a_deployment(paused=True), "is paused", id="paused"),
        pytest.param(a_stateful_set(strategy="OnDelete"), "strategy OnDelete", id="a StatefulSet that waits"),
        pytest.param(a_daemon_set(strategy="OnDelete"), "strategy OnDelete", id="a DaemonSet that waits"),
        pytest.param(a_deployment(replicas=0), "no pods to replace", id="scaled to nothing"),
        pytest.param(a_deployment(deleted_at=NOON), "is being deleted", id="on its way out"),
        pytest.param(a_deployment(generation=2), "changed just now", id="a change that nobody has looked at"),
    ],
)
def test_what_rolls_nothing_out_is_refused(action: Action, workload: WorkloadRow, words: str) -> None:
    assert words in preview(action, workload).refusal


def test_a_restart_names_the_pods_that_go_and_those_that_a_partition_keeps() -> None:
    database = a_stateful_set("db", partition=2)
    pod = a_pod("db-2", owner=owned_by(database))
    told = preview(RestartRollout(), database, pod)
    assert told.refusal == ""
    assert told.displaced == (pod.key.ref(pod.uid),)
    assert told.changes == ("all 1 pods of db are replaced by new ones", "its partition leaves 2 pods as they are")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        pytest.param({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD", id="Argo CD by label"),
        pytest.param({"annotations": {"argocd.argoproj.io/tracking-id": "a:b"}}, "Argo CD", id="Argo CD by annotation"),
        pytest.param({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}, "Flux", id="Flux, plain"),
        pytest.param({"labels": {"helm.toolkit.fluxcd.io/name": "shop"}}, "Flux", id="Flux with Helm"),
        pytest.param({"owner": OwnerRef(kind="Kafka", name="bus", uid="u")}, "Kafka bus", id="an operator"),
    ],
)
def test_nothing_is_rolled_back_against_who_owns_it(overrides: dict[str, Any], words: str) -> None:
    deployment = a_deployment("web", **STUCK, **overrides)
    for action in (RollBack(), PauseRollout()):
        assert words in preview(action, deployment, *revisions(deployment, 2, 0)).refusal


def test_helm_is_rolled_back_and_told_of() -> None:
    deployment = a_deployment("web", **STUCK, labels={"app.kubernetes.io/managed-by": "Helm"})
    told = preview(RollBack(), deployment, *revisions(deployment, 2, 0))
    assert told.refusal == ""
    assert "Helm knows nothing of it" in told.changes[-1]


@pytest.mark.parametrize(
    ("ready", "apart", "words"),
    [
        pytest.param((2, 1), HOUR, "revision 1 (web-1): 2 pods are of revision 1", id="the one before works"),
        pytest.param((2, 0, 0), HOUR, "revision 1 (web-1)", id="two bad ones in a row"),
        pytest.param((0, 2, 1), HOUR, "revision 2 (web-2)", id="the newest that works"),
        pytest.param((0, 0, 3), HOUR * 24, "revision 2 (web-2): revision 2 was in service for 24 hours", id="served"),
    ],
)
def test_it_goes_back_to_what_is_known_to_work(ready: tuple[int, ...], apart: timedelta, words: str) -> None:
    deployment = a_deployment("web", **STUCK)
    told = preview(RollBack(), deployment, *revisions(deployment, *ready, apart=apart))
    assert told.refusal == ""
    assert words in told.changes[0]


def test_a_rollback_takes_the_pods_of_the_newest_revision() -> None:
    deployment = a_deployment("web", **STUCK)
    old, new = revisions(deployment, 2, 1)
    pods = [a_pod(f"{owner.name}-a", owner=owned_by(owner)) for owner in (old, new)]
    told = preview(RollBack(), deployment, old, new, *pods)
    assert [ref.name for ref in told.displaced] == ["web-2-a"]


@pytest.mark.parametrize(
    ("ready", "minutes", "words"),
    [
        pytest.param((3,), 60, "no former revision to go back to", id="the first revision"),
        pytest.param((), 60, "no former revision to go back to", id="no history at all"),
        pytest.param((0, 3), 61, "no former revision of web is known to have been healthy", id="served too short"),
    ],
)
def test_without_a_healthy_revision_it_is_refused(ready: tuple[int, ...], minutes: int, words: str) -> None:
    deployment = a_deployment("web", **STUCK)
    parameters = {"served_minutes": minutes}
    assert words in preview(RollBack(), deployment, *revisions(deployment, *ready), parameters=parameters).refusal


def test_replica_sets_of_another_life_of_the_deployment_do_not_count() -> None:
    deployment = a_deployment("web", **STUCK)
    foreign = [
        a_replica_set(
            f"web-{number}", revision=str(number), owner=OwnerRef(kind="Deployment", name="web", uid="another")
        )
        for number in (1, 2)
    ]
    assert "no former revision" in preview(RollBack(), deployment, *foreign).refusal


def test_a_stateful_set_tells_of_its_former_pods() -> None:
    database = a_stateful_set("db", revision="db-2", current_revision="db-1", updated_replicas=1)
    pods = [
        a_pod(f"db-{n}", owner=owned_by(database), labels={"app": "checkout", "controller-revision-hash": "db-1"})
        for n in range(2)
    ]
    assert "2 pods are of db-1 and Ready right now" in preview(RollBack(), database, *pods).changes[0]
    assert "ControllerRevisions tell" in preview(RollBack(), a_daemon_set()).changes[0]


DAYS = [NOON - timedelta(days=days) for days in (3, 2, 1)]


@pytest.mark.parametrize(
    ("versions", "number"),
    [
        pytest.param([Version(1, DAYS[0], 2), Version(2, DAYS[1])], 1, id="Ready pods prove it"),
        pytest.param([Version(1, DAYS[0]), Version(2, DAYS[1]), Version(3, DAYS[2], 3)], 2, id="long service does"),
        pytest.param([Version(2, DAYS[2]), Version(3, DAYS[0], 3)], None, id="it was left for an older one before"),
        pytest.param([Version(1, DAYS[0], 3)], None, id="there is one only"),
        pytest.param([], None, id="there is none"),
    ],
)
def test_how_a_revision_is_known_to_have_been_healthy(versions: list[Version], number: int | None) -> None:
    found = last_healthy(versions, served=HOUR)
    assert (found.revision.number if found else None) == number
    if found is None:
        assert none_known("web", versions, HOUR)


def test_a_restart_of_the_same_template_is_no_former_revision() -> None:
    versions = [Version(1, DAYS[0], name="good"), Version(2, DAYS[1], name="bad"), Version(3, DAYS[2], name="bad")]
    found = last_healthy(versions, served=HOUR, alike=lambda one, other: one.name == other.name)
    assert found is not None
    assert (found.revision.number, found.known_by) == (
        1,
        "revision 1 was in service for 24 hours until another replaced it",
    )


@pytest.mark.parametrize(
    ("deployment", "words"),
    [
        pytest.param(a_deployment("web"), "no rollout of web is under way: 3 of 3 pods are new", id="nothing rolls"),
        pytest.param(a_deployment("web", paused=True, **STUCK), "paused already", id="paused by somebody"),
        pytest.param(a_deployment("web", deleted_at=NOON), "is being deleted", id="on its way out"),
    ],
)
def test_there_is_nothing_to_pause(deployment: DeploymentRow, words: str) -> None:
    assert words in preview(PauseRollout(), deployment).refusal


def test_a_pause_tells_until_when() -> None:
    told = preview(PauseRollout(), a_deployment("web", **STUCK), parameters={"lease_minutes": 90})
    assert told.changes == ("web stays as it is, 1 of 3 pods are new, 3 available, until 2026-03-01 13:30 UTC",)


@pytest.mark.parametrize("action", ROLLOUT_ACTIONS, ids=lambda action: action.code)
def test_wrong_requests_on_rollouts_say_what_is_right(action: Action) -> None:
    with pytest.raises(ValueError, match="there is no parameter fast"):
        preview(action, a_deployment(), parameters={"fast": True})
    with pytest.raises(ValueError, match="not for Node"):
        preview(action, a_node())


@pytest.mark.parametrize(
    ("workload", "is_complete"),
    [
        (a_deployment(), True),
        (a_deployment(generation=2), False),
        (a_deployment(updated_replicas=2), False),
        (a_deployment(available_replicas=2), False),
        (a_deployment(current_replicas=4), False),
        (a_stateful_set(partition=1, updated_replicas=2), True),
        (a_stateful_set(partition=9, updated_replicas=0), True),
        (a_deployment(conditions=(a_condition("Progressing", "False"),)), True),
    ],
)
def test_when_a_rollout_is_complete(workload: WorkloadRow, is_complete: bool) -> None:
    assert complete(workload) is is_complete


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "extra", "missing"),
    [
        (1, "25%", "25%", 1, 0),
        (4, "25%", "25%", 1, 1),
        (5, "30%", "30%", 2, 1),
        (3, "0", "0", 0, 1),
        (3, "2", "0", 2, 0),
        (3, "", "", 0, 1),
    ],
)
def test_limits_of_a_rolling_update_are_counted_as_kubernetes_does(
    replicas: int, surge: str, unavailable: str, extra: int, missing: int
) -> None:
    workload = a_deployment(replicas=replicas, max_surge=surge, max_unavailable=unavailable)
    assert (extra_pods(workload), missing_pods(workload)) == (extra, missing)


def applied(target: Any, patch: Any) -> Any:
    """RFC 7396, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = applied(result.get(key), value)
    return result


leaves = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]) | st.lists(st.integers(0, 2))
trees = st.dictionaries(
    st.sampled_from("abc"), st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from("abc"), inner))
)


def said(tree: Any) -> Any:
    """Without what is null: it says nothing. An empty object stays."""
    if not isinstance(tree, dict):
        return tree
    return {key: said(value) for key, value in tree.items() if value is not None}


@settings(deadline=None, max_examples=60)
@given(before=trees, after=trees)
def test_a_merge_patch_makes_one_template_of_another(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = merge_patch(before, after)
    assert said(applied(before, patch)) == said(after)
    assert same(before, after) == (said(before) == said(after))


def test_a_restart_changes_nothing_that_counts() -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "web:1"}]}}
    marked = {"k8s-health-checker/run": "x/0", "kubectl.kubernetes.io/restartedAt": "now"}
    restarted = template | {"metadata": {"labels": {"app": "web"}, "annotations": marked}}
    other = template | {"metadata": {"labels": {"app": "web"}, "annotations": {"team": "shop"}}}
    assert not same(template, restarted)
    assert same_but_restarted(template, restarted)
    assert not same_but_restarted(template, other)
