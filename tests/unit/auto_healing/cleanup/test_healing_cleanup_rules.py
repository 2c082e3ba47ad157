"""What each rule takes for unused, by age, owner and state; and what it leaves."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.rows import (
    a_claim,
    a_condition,
    a_cron_job,
    a_deployment,
    a_job,
    a_namespace,
    a_node,
    a_pdb,
    a_pod,
    a_replica_set,
    a_service,
    a_snapshot,
    a_stateful_set,
    a_status,
    a_volume,
    an_hpa,
    owned_by,
)

from auto_healing import marks
from auto_healing.actions.cleanup import CLEANUP_ACTIONS, CLEANUP_BY_CODE
from auto_healing.actions.cleanup.rule import Found, Look, Scope
from auto_healing.actions.cleanup.settings import CleanupSettings
from common.cluster.rows import OwnerRef, Row
from common.contracts import ObjectRef
from common.kube.errors import Forbidden, NotFound

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
OLD = NOON - 30 * DAY


class Pages:
    """The lists of an API server, by path; everything else is not served. What is `forbidden` may not be read."""

    def __init__(self, lists: Mapping[str, list[Any]] | None = None, forbidden: str = "") -> None:
        self.lists = lists or {}
        self.forbidden = forbidden

    async def pages(self, path: str, *, metadata_only: bool = False) -> AsyncIterator[bytes]:
        if path == self.forbidden:
            raise Forbidden(f"list {path}: forbidden")
        if path == "/apis":
            groups = {"/".join(each.split("/")[2:4]) for each in self.lists if each.startswith("/apis/")}
            versions = [{"groupVersion": each} for each in sorted(groups)]
            body: Any = {"groups": [{"name": "g", "versions": [each], "preferredVersion": each} for each in versions]}
        elif path.count("/") in {2, 3} and path != "/api/v1" and not path.startswith("/api/v1/"):
            names = [each.rsplit("/", 1)[1] for each in self.lists if each.startswith(f"{path}/")]
            kinds = {"widgets": "Widget", "deployments": "Deployment", "ingresses": "Ingress"}
            found = [{"name": each, "kind": kinds[each], "verbs": ["list"]} for each in names]
            body = {"resources": found}
        elif path in self.lists:
            body = {"items": self.lists[path]}
        else:
            raise NotFound(path)
        yield json.dumps(body).encode()

    async def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> list[Any]:
        if "type=" in fields and fields != "type=Opaque":
            return []
        return self.lists.get(kind, [])

    async def read(self, ref: ObjectRef) -> Any:
        return None


def a_look(code: str, *rows: Row, cluster: Any = None, scope: Scope | None = None, **settings: Any) -> Look:
    return Look(
        now=NOON,
        snapshot=a_snapshot(a_node(), *rows),
        cluster=cluster or Pages(),
        settings=CleanupSettings.model_validate({code: settings}).rule(code),
        scope=scope or Scope(),
    )


async def found_by(code: str, *rows: Row, **options: Any) -> Found:
    return await CLEANUP_BY_CODE[code].find(a_look(code, *rows, **options))


async def names_found(code: str, *rows: Row, **options: Any) -> list[str]:
    return sorted(each.ref.name for each in (await found_by(code, *rows, **options)).candidates)


def a_finished_pod(number: int, *, owner: OwnerRef | None, reason: str = "Evicted", age: timedelta = DAY) -> Row:
    return a_pod(
        f"pod-{number:02}",
        phase="Failed",
        reason=reason,
        ready=False,
        statuses=(),
        owner=owner,
        created_at=NOON - age - timedelta(minutes=number),
    )


SET = a_replica_set("web-1", replicas=0)


async def test_of_an_evicted_pile_the_newest_three_are_kept() -> None:
    pile = [a_finished_pod(number, owner=owned_by(SET)) for number in range(6)]
    assert await names_found("clean-evicted-pods", SET, *pile) == ["pod-03", "pod-04", "pod-05"]
    assert await names_found("clean-failed-pods", SET, *pile) == []


@pytest.mark.parametrize(
    ("keep", "end"),
    [
        pytest.param(0, "is evicted", id="none is kept"),
        pytest.param(1, "is evicted, and 1 newer one of ReplicaSet ", id="one is kept"),
        pytest.param(3, "is evicted, and 3 newer ones of ReplicaSet ", id="several are kept"),
    ],
)
async def test_why_an_evicted_pod_goes(keep: int, end: str) -> None:
    pile = [a_finished_pod(number, owner=owned_by(SET)) for number in range(5)]
    found = await found_by("clean-evicted-pods", SET, *pile, keep=keep)
    assert {each.reason.startswith(end) for each in found.candidates} == {True}, found.candidates[0].reason
    assert all(each.reason.endswith(" kept") for each in found.candidates) is bool(keep)


@pytest.mark.parametrize(
    ("pod", "goes"),
    [
        pytest.param({}, True, id="old enough"),
        pytest.param({"age": HOUR - timedelta(minutes=10)}, False, id="younger than an hour"),
        pytest.param({"reason": "NodeShutdown"}, False, id="failed otherwise"),
        pytest.param({"owner": None}, False, id="the only pod of its kind"),
    ],
)
async def test_which_evicted_pods_go(pod: dict[str, Any], goes: bool) -> None:
    newer = a_finished_pod(0, owner=owned_by(SET), age=timedelta())
    old = a_finished_pod(1, **{"owner": owned_by(SET), **pod})
    assert await names_found("clean-evicted-pods", SET, newer, old, keep=1) == (["pod-01"] if goes else [])


@pytest.mark.parametrize(
    ("conditions", "goes"),
    [
        pytest.param((), False, id="its Job still runs"),
        pytest.param((a_condition("Complete", changed_at=NOON - HOUR),), False, id="its Job has just ended"),
        pytest.param((a_condition("Failed", changed_at=NOON - 2 * DAY),), True, id="its Job ended long ago"),
    ],
)
async def test_pods_of_jobs_go_by_the_end_of_the_job(conditions: Any, goes: bool) -> None:
    job = a_job("import", conditions=conditions)
    pods = [a_finished_pod(number, owner=owned_by(job), reason="", age=3 * DAY) for number in range(2)]
    assert await names_found("clean-failed-pods", job, *pods, keep=1) == (["pod-01"] if goes else [])


@given(ages=st.lists(st.integers(min_value=0, max_value=500), max_size=12), keep=st.integers(min_value=0, max_value=5))
async def test_as_many_as_are_kept_always_stay(ages: list[int], keep: int) -> None:
    pile = [a_finished_pod(number, owner=owned_by(SET), age=timedelta(hours=age)) for number, age in enumerate(ages)]
    names = await names_found("clean-evicted-pods", SET, *pile, keep=keep)
    assert len(names) <= max(0, len(ages) - keep)
    young = {f"pod-{number:02}" for number, age in enumerate(ages) if age * 60 + number < 60}
    assert young.isdisjoint(names)


CRON = a_cron_job("nightly")


@pytest.mark.parametrize(
    ("job", "goes"),
    [
        pytest.param({"conditions": (a_condition("Complete", changed_at=NOON - 2 * DAY),)}, True, id="succeeded"),
        pytest.param(
            {"conditions": (a_condition("Complete", changed_at=NOON - HOUR),)}, False, id="succeeded just now"
        ),
        pytest.param({"conditions": (a_condition("Failed", changed_at=NOON - 8 * DAY),)}, True, id="failed"),
        pytest.param({"conditions": (a_condition("Failed", changed_at=NOON - 2 * DAY),)}, False, id="failed this week"),
        pytest.param({"conditions": ()}, False, id="still running"),
        pytest.param(
            {"conditions": (a_condition("Failed", changed_at=OLD),), "owner": owned_by(CRON)},
            False,
            id="the history of a CronJob",
        ),
        pytest.param(
            {
                "conditions": (a_condition("Failed", changed_at=OLD),),
                "owner": OwnerRef(kind="CronJob", name="gone", uid="gone"),
            },
            True,
            id="the history of a CronJob that is gone",
        ),
        pytest.param(
            {
                "conditions": (a_condition("Failed", changed_at=OLD),),
                "owner": OwnerRef(kind="Workflow", name="w", uid="w"),
            },
            False,
            id="a part of a workflow",
        ),
        pytest.param(
            {"conditions": (a_condition("Failed", changed_at=OLD),), "labels": {marks.HEAL: "off"}},
            False,
            id="opted out",
        ),
    ],
)
async def test_which_jobs_go(job: dict[str, Any], goes: bool) -> None:
    assert await names_found("clean-jobs", CRON, a_job("import", **job)) == (["import"] if goes else [])


HASHED = {"app": "web", "pod-template-hash": "1"}


@pytest.mark.parametrize(
    ("replica_set", "goes"),
    [
        pytest.param({"labels": HASHED}, True, id="an orphan"),
        pytest.param({"labels": HASHED, "replicas": 1}, False, id="an orphan with replicas"),
        pytest.param({"labels": {"app": "web"}}, False, id="made by hand"),
        pytest.param({"labels": HASHED, "created_at": NOON - HOUR}, False, id="a young one"),
        pytest.param({"labels": HASHED, "owner": owned_by(a_deployment("web"))}, False, id="a revision"),
        pytest.param(
            {"labels": HASHED, "owner": OwnerRef(kind="Deployment", name="web", uid="earlier")},
            True,
            id="of a Deployment that is gone",
        ),
        pytest.param({"labels": {**HASHED, "app": "checkout"}}, False, id="a Deployment selects it and will adopt it"),
    ],
)
async def test_which_replica_sets_go(replica_set: dict[str, Any], goes: bool) -> None:
    fields = {"replicas": 0, "owner": None, "created_at": OLD, **replica_set}
    row = a_replica_set("web-1", **fields)
    deployments = (a_deployment("web", selector=a_pdb(selector={"app": "other"}).selector), a_deployment("checkout"))
    assert await names_found("clean-replica-sets", *deployments, row, keep=0) == (["web-1"] if goes else [])


async def test_of_orphaned_replica_sets_as_many_are_kept_as_revisions() -> None:
    family = [
        a_replica_set(f"web-{n:02}", replicas=0, owner=None, labels={**HASHED, "pod-template-hash": str(n)})
        for n in range(12)
    ]
    aged = [type(row)(**{**_fields(row), "created_at": OLD - n * HOUR}) for n, row in enumerate(family)]
    assert await names_found("clean-replica-sets", *aged) == ["web-10", "web-11"]


def _fields(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


@pytest.mark.parametrize(
    ("pdb", "rows", "lists", "goes"),
    [
        pytest.param({}, (), {}, True, id="selects nothing"),
        pytest.param({}, (a_pod(labels={"app": "checkout"}),), {}, False, id="selects a pod"),
        pytest.param({"created_at": NOON - HOUR}, (), {}, False, id="is young"),
        pytest.param(
            {},
            (),
            {
                "/apis/apps/v1/deployments": [
                    {
                        "metadata": {"name": "checkout", "namespace": "shop"},
                        "spec": {"template": {"metadata": {"labels": {"app": "checkout"}}}},
                    }
                ]
            },
            False,
            id="selects what a workload at zero would make",
        ),
    ],
)
async def test_which_disruption_budgets_go(pdb: Any, rows: Any, lists: Any, goes: bool) -> None:
    row = a_pdb("guard", **{"created_at": OLD, **pdb})
    names = await names_found("clean-disruption-budgets", row, *rows, cluster=Pages(lists))
    assert names == (["guard"] if goes else [])


@pytest.mark.parametrize(
    ("hpa", "rows", "goes"),
    [
        pytest.param({}, (), True, id="its target is gone"),
        pytest.param({}, (a_deployment("checkout"),), False, id="its target is there"),
        pytest.param({"target_kind": "Rollout"}, (), False, id="its target is of an unknown kind"),
        pytest.param({"created_at": NOON - HOUR}, (), False, id="is young"),
    ],
)
async def test_which_autoscalers_go(hpa: Any, rows: Any, goes: bool) -> None:
    row = an_hpa("scaler", **{"created_at": OLD, "target_kind": "Deployment", "target_name": "checkout", **hpa})
    assert await names_found("clean-autoscalers", row, *rows) == (["scaler"] if goes else [])


@pytest.mark.parametrize(
    ("volume", "goes"),
    [
        pytest.param({}, True, id="released and retained"),
        pytest.param({"phase": "Bound"}, False, id="bound"),
        pytest.param({"reclaim_policy": "Delete"}, False, id="deleted by its driver"),
        pytest.param({"phase_changed_at": NOON - HOUR}, False, id="released just now"),
        pytest.param({"claim_namespace": "kube-system"}, False, id="of an excluded namespace"),
    ],
)
async def test_which_volumes_go(volume: Any, goes: bool) -> None:
    fields = {"phase": "Released", "reclaim_policy": "Retain", "phase_changed_at": OLD, "claim_namespace": "shop"}
    row = a_volume("pv-1", **{**fields, **volume})
    scope = Scope(excluded=("kube-*",))
    assert await names_found("clean-volumes", row, scope=scope) == (["pv-1"] if goes else [])


@pytest.mark.parametrize(
    ("claim", "rows", "goes"),
    [
        pytest.param("scratch", (), True, id="nobody mounts it"),
        pytest.param("data-orders-db-7", (a_stateful_set(claim_templates=("data",)),), False, id="of a set's template"),
        pytest.param("data-orders-db-7", (), True, id="of a set that is gone"),
    ],
)
async def test_which_claims_go(claim: str, rows: Any, goes: bool) -> None:
    row = a_claim(claim, created_at=OLD)
    assert await names_found("clean-volume-claims", row, *rows) == ([claim] if goes else [])


async def test_a_service_without_pods_goes_unless_an_ingress_leads_to_it() -> None:
    rows = [a_service(name, selector={"app": "gone"}, created_at=OLD) for name in ("lost", "entry")]
    ingress = {
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"defaultBackend": {"service": {"name": "entry"}}},
    }
    cluster = Pages({"/apis/networking.k8s.io/v1/ingresses": [ingress]})
    assert await names_found("clean-services", *rows, cluster=cluster) == ["lost"]


def a_manifest(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "creationTimestamp": OLD.isoformat(),
            **metadata,
        }
    }


@pytest.mark.parametrize(
    ("metadata", "goes", "told"),
    [
        pytest.param({}, True, False, id="nobody uses it"),
        pytest.param({"creationTimestamp": (NOON - HOUR).isoformat()}, False, False, id="it is young"),
        pytest.param({"labels": {marks.HEAL: "off"}}, False, False, id="it has opted out"),
        pytest.param({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, False, True, id="Helm manages it"),
        pytest.param({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, False, True, id="Argo CD manages it"),
        pytest.param({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, False, True, id="Flux manages it"),
        pytest.param({"ownerReferences": [{"kind": "Widget", "name": "w"}]}, False, True, id="it has an owner"),
        pytest.param({"finalizers": ["example.com/hold"]}, False, True, id="a finalizer holds it"),
        pytest.param({"finalizers": ["kubernetes.io/pvc-protection"]}, True, False, id="Kubernetes' own finalizer"),
    ],
)
async def test_which_config_maps_go(metadata: dict[str, Any], goes: bool, told: bool) -> None:
    found = await found_by("clean-config-maps", cluster=Pages({"ConfigMap": [a_manifest("settings", **metadata)]}))
    assert [each.ref.name for each in found.candidates] == (["settings"] if goes else [])
    assert [each.object.name for each in found.unproven] == (["settings"] if told else [])


@pytest.mark.parametrize(
    ("label", "told", "goes"),
    [
        pytest.param("grafana_dashboard", "grafana_dashboard", False, id="a program looks for its label"),
        pytest.param("grafana_dashboard", "grafana_datasource", True, id="a program looks for another one"),
        pytest.param("app", "app", True, id="its label only tells what it is"),
    ],
)
async def test_what_a_program_finds_by_its_label_is_left(label: str, told: str, goes: bool) -> None:
    sidecar = {"name": "sidecar", "env": [{"name": "LABEL", "value": told}]}
    pod = {"metadata": {"name": "grafana-0", "namespace": "monitoring"}, "spec": {"containers": [sidecar]}}
    lists = {"ConfigMap": [a_manifest("dashboard-1", labels={label: "1"})], "/api/v1/pods": [pod]}
    found = await found_by("clean-config-maps", cluster=Pages(lists))
    assert [each.ref.name for each in found.candidates] == (["dashboard-1"] if goes else [])
    assert [each.reason for each in found.unproven] == (
        [] if goes else ["may be found by its label grafana_dashboard, which stands in Pod monitoring/grafana-0"]
    )


async def test_a_custom_resource_that_names_it_keeps_it() -> None:
    widget = {"metadata": {"name": "w"}, "spec": {"source": "shop/settings"}}
    lists = {"ConfigMap": [a_manifest("settings")], "/apis/example.com/v1/widgets": [widget]}
    found = await found_by("clean-config-maps", cluster=Pages(lists))
    assert not found.candidates
    assert "Widget" in found.unproven[0].reason


async def test_a_custom_resource_that_may_not_be_read_keeps_everything() -> None:
    path = "/apis/example.com/v1/widgets"
    cluster = Pages({"ConfigMap": [a_manifest("settings")], path: []}, forbidden=path)
    found = await found_by("clean-config-maps", cluster=cluster)
    assert not found.candidates
    assert "cannot be read" in found.unproven[0].reason


async def test_secrets_are_only_deleted_when_that_is_said() -> None:
    cluster = Pages({"Secret": [a_manifest("password")]})
    found = await found_by("clean-secrets", cluster=cluster)
    assert not found.candidates
    assert "restored" in found.unproven[0].reason
    assert await names_found("clean-secrets", cluster=cluster, delete_unrestorable=True) == ["password"]


LOOPING = {"phase": "Running", "ready": False, "created_at": NOON - 3 * DAY}
CRASHED = a_status(ready=False, restarts=80, state="waiting", reason="CrashLoopBackOff")


@pytest.mark.parametrize(
    ("pods", "settings", "goes", "told"),
    [
        pytest.param([{"statuses": (CRASHED,)}], {}, True, False, id="past its limit"),
        pytest.param([{"statuses": (CRASHED,)}], {"restarts": 100}, False, False, id="below its limit"),
        pytest.param([{"statuses": (CRASHED,), "created_at": NOON - HOUR}], {}, False, False, id="young"),
        pytest.param([{"statuses": (CRASHED,)}, {"ready": True}], {}, False, True, id="another pod works"),
        pytest.param([{"statuses": (CRASHED,), "owner": None}], {}, False, True, id="nothing to scale"),
        pytest.param(
            [{"statuses": (CRASHED,), "owner": None}], {"remedy": "delete"}, True, False, id="a bare pod is deleted"
        ),
    ],
)
async def test_which_crash_loops_are_ended(pods: Any, settings: Any, goes: bool, told: bool) -> None:
    owner = a_stateful_set("web", replicas=len(pods))
    rows = [a_pod(f"web-{n}", **{**LOOPING, "owner": owned_by(owner), **pod}) for n, pod in enumerate(pods)]
    found = await found_by("clean-crash-loops", owner, *rows, **settings)
    assert [each.ref.name for each in found.candidates] == (["web-0"] if goes else [])
    assert [each.object.name for each in found.unproven] == (["web-0"] if told else [])


async def test_a_namespace_that_has_opted_out_is_left() -> None:
    namespace = a_namespace("shop", labels={marks.HEAL: "off"})
    done = a_job("import", conditions=(a_condition("Failed", changed_at=OLD),))
    assert await names_found("clean-jobs", namespace, done) == []
    assert await names_found("clean-jobs", done, scope=Scope(excluded=("sh*",))) == []
    assert await names_found("clean-jobs", done, scope=Scope(included=("team-*",))) == []


def test_every_rule_says_all_that_the_catalogue_tells() -> None:
    for rule in CLEANUP_ACTIONS:
        assert rule.title
        assert rule.expects
        assert rule.permissions
        assert isinstance(CleanupSettings().rule(rule.code), rule.settings)
