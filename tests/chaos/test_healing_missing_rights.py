"""With the rights it ships with it can do all it may; without one of them it says which, once, and does the rest."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.support.accounts import Account, account, shipped_roles, without
from tests.support.healing_cleanup import HOUR, Tidying, a_claim_of, a_config_map, names_of, tidying
from tests.support.healing_cluster import Place, a_budget, ref_of
from tests.support.healing_nodes import a_ground
from tests.support.healing_service import HealingService
from tests.support.healing_workloads import a_ready_pod, place
from tests.support.service import start_program

from auto_healing import marks
from auto_healing.actions import ACTIONS
from auto_healing.actions.action import Result
from auto_healing.actions.cleanup import CLEANUP_ACTIONS
from auto_healing.actions.cleanup.settings import CleanupSettings
from auto_healing.actions.nodes import NODE_ACTIONS
from auto_healing.actions.pods.delete_pod import DeletePod
from auto_healing.actions.pods.evict_pod import EvictPod
from auto_healing.actions.rollouts.restart_rollout import RestartRollout
from auto_healing.kube.live import LiveCluster
from auto_healing.plan import Mode
from auto_healing.policy import HealingPolicy, Match, Rule, Rung
from auto_healing.rights import Rights
from common.clock import SystemClock
from common.kube.api import Api
from common.kube.connect import connect
from common.kube.errors import Forbidden
from common.kube.lease import LeaderElection, LeaseSettings
from common.kube.settings import KubeSettings
from devcluster import DevCluster
from devcluster.api import collection

__all__ = ["account", "place"]
pytestmark = pytest.mark.cluster

Json = dict[str, Any]
EVICTIONS, REFERENCES = "pods/eviction", "auto-healing-references"
EVICTION_RULE = '{apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"]}'
CORDON, UNCORDON, *_ = NODE_ACTIONS
LADDER = tuple(Rung(action=action.code) for action in ACTIONS if action not in CLEANUP_ACTIONS)
EVERYTHING = HealingPolicy(
    mode=Mode.AUTO,
    rules=(Rule(name="all", match=Match(), ladder=LADDER),),
    cleanup=CleanupSettings.model_validate({rule.code: {"mode": "auto"} for rule in CLEANUP_ACTIONS}),
)


def roles(namespace: str, name: str) -> list[Json]:
    return shipped_roles("auto-healing-rbac.yaml", "auto-healing", namespace, name)


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Api]:
    async with await connect(KubeSettings(kubeconfig=kubeconfig)) as api:
        yield api


def live(api: Api) -> LiveCluster:
    return LiveCluster(api, lambda: True, SystemClock())


async def test_the_shipped_roles_allow_all_that_any_action_says_it_needs(namespace: str, account: Account) -> None:
    kubeconfig = await asyncio.to_thread(account, "whole", roles(namespace, "whole"))
    async with connected(kubeconfig) as api:
        rights = Rights(api, lambda: EVERYTHING)
        await rights.look()
        assert rights.missing == ()
        assert await rights.trouble() is None


async def test_with_the_shipped_roles_pods_rollouts_nodes_events_and_the_lease_are_written(
    devcluster_shared: DevCluster, place: Place, account: Account
) -> None:
    kubeconfig = await asyncio.to_thread(account, "whole", roles(place.namespace, "whole"))
    async with connected(kubeconfig) as api, a_ground(devcluster_shared) as ground:
        cluster = live(api)
        for action in (EvictPod(), DeletePod()):
            pod = await a_ready_pod(place) if action.code == "evict-pod" else ref_of(place.pods()[0])
            done = await action.apply(await place.doing(action, pod, cluster=cluster))
            assert done.result is Result.DONE
            await place.ready("Deployment", "web", 1)
        web = place.ref("Deployment", "web")
        restarted = await RestartRollout().apply(await place.doing(RestartRollout(), web, cluster=cluster))
        assert restarted.result is Result.DONE

        node = ground.ref(ground.nodes[0])
        step = await ground.place.doing(CORDON, node, cluster=cluster)
        assert (cordoned := await CORDON.apply(step)).result is Result.DONE
        assert (await CORDON.undo(step, cordoned)).result is Result.DONE
        assert not ground.cordoned(node.name)

        for _ in range(2):  # a second one is told by a patch of the first
            await cluster.event(web, reason="TestTold", message="a test says so")
        (told,) = [each for each in place.objects("v1/events") if each["reason"] == "TestTold"]
        assert told["count"] == 2
        await leads(api, place.namespace)


async def leads(api: Api, namespace: str) -> None:
    """Takes the Lease, and gives it back."""
    held = asyncio.Event()
    election = LeaderElection(
        api, namespace=namespace, name="auto-healing", identity="tester", settings=LeaseSettings(), clock=SystemClock()
    )
    task = asyncio.create_task(election.run(held.set, lambda: None))
    try:
        async with asyncio.timeout(60):
            await held.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def one_of_each(namespace: str) -> list[Json]:
    """An object of each kind that cleanup deletes."""
    about = {"name": "left", "namespace": namespace}
    pod = {"containers": [{"name": "app", "image": "app:1"}], "schedulerName": "nobody", "restartPolicy": "Never"}
    template = {"metadata": {"labels": {"app": "left"}}, "spec": pod | {"restartPolicy": "Always"}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone"}
    disk = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}}
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": pod},
        a_config_map(namespace, "left"),
        a_config_map(namespace, "left") | {"kind": "Secret", "data": {"key": "dmFsdWU="}},
        a_claim_of(namespace, "left"),
        {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": {"ports": [{"port": 80}]}},
        a_budget(namespace, "left"),
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": about,
            "spec": {"scaleTargetRef": target, "maxReplicas": 2},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": about,
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "left"}}, "template": template},
        },
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": {"template": {"spec": pod}}},
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"left-{namespace}"}, "spec": disk},
    ]


async def test_with_the_shipped_roles_each_kind_is_marked_deleted_and_made_again(
    devcluster_shared: DevCluster, namespace: str, account: Account
) -> None:
    kubeconfig = await asyncio.to_thread(account, "whole", roles(namespace, "whole"))
    manifests = one_of_each(namespace)
    assert {each["kind"] for each in manifests} == {rule.kind for rule in CLEANUP_ACTIONS}
    async with connected(kubeconfig) as api:
        cluster = live(api)
        for manifest in manifests:
            ref = ref_of(devcluster_shared.api.create(manifest) | {"kind": manifest["kind"]})
            await cluster.patch(ref, {"metadata": {"annotations": {marks.UNUSED_SINCE: "now"}}})
            found = await cluster.read(ref)
            assert found is not None
            assert await cluster.delete(ref)
            if manifest["kind"] != "Secret":  # which cannot be restored: its data was never read
                made_again = manifest | {"metadata": manifest["metadata"] | {"name": f"again-{uuid4().hex[:8]}"}}
                again = ref_of(await cluster.create(made_again) | {"kind": manifest["kind"]})
                await asyncio.to_thread(admin_deletes, devcluster_shared, again)


def admin_deletes(cluster: DevCluster, ref: Any) -> None:
    if ref.kind == "PersistentVolume":
        cluster.api.delete(f"{collection('v1/persistentvolumes')}/{ref.name}")


async def test_without_evictions_one_is_refused_with_the_missing_rule_and_a_deletion_goes(
    place: Place, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    kubeconfig = await asyncio.to_thread(account, "lacking", without(EVICTIONS, roles(place.namespace, "lacking")))
    async with connected(kubeconfig) as api:
        cluster, pod = live(api), await a_ready_pod(place)
        with pytest.raises(Forbidden) as refused:
            await EvictPod().apply(await place.doing(EvictPod(), pod, cluster=cluster))
        assert EVICTION_RULE in str(refused.value)
        done = await DeletePod().apply(await place.doing(DeletePod(), pod, cluster=cluster))
        assert done.result is Result.DONE

        rights = Rights(api, lambda: EVERYTHING)
        with caplog.at_level(logging.WARNING):
            await rights.look()
            await rights.look()
        (said,) = [record.message for record in caplog.records if record.name == "auto_healing.rights"]
        assert f"{EVICTION_RULE}, for drain, evict-pod" in said
        assert EVICTION_RULE in (await rights.trouble() or "")


async def test_cleanup_that_may_not_look_says_so_once_and_looks_again_by_itself(
    devcluster_shared: DevCluster,
    namespace: str,
    account: Account,
    healing_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shipped = roles(namespace, "lacking")
    _, binding = (each for each in shipped if REFERENCES in each["metadata"]["name"])
    kubeconfig = await asyncio.to_thread(account, "lacking", [each for each in shipped if each is not binding])
    settings: Json = {rule.code.replace("-", "_"): {"mode": "off"} for rule in CLEANUP_ACTIONS}
    settings["clean_config_maps"] = {"mode": "observe", "min_age": "0s", "schedule": "* * * * *"}
    async with (
        connected(kubeconfig) as api,
        tidying(devcluster_shared, namespace, healing_url, live=lambda _: live(api), **settings) as tidy,
    ):
        assert tidy.execution.epoch is not None
        devcluster_shared.api.create(a_config_map(namespace, "orphan-cm"))
        await tidy.see()

        async def looks(minutes: int) -> int:
            """In so many minutes, at one poll a minute."""
            count = 0
            for _ in range(minutes):
                tidy.clock.step(timedelta(minutes=1))
                count += len(await tidy.cleaner.once(tidy.execution.epoch))
            return count

        with caplog.at_level(logging.WARNING, logger="auto_healing.cleanup.cleaner"):
            assert 2 <= await looks(30) <= 6
            (said,) = [record.message for record in caplog.records]
            assert "clean-config-maps could not look" in said
            assert "it lacks the rule {apiGroups:" in said
            devcluster_shared.api.create(binding)
            try:
                assert await looks_until_seen(tidy, looks)
            finally:
                devcluster_shared.api.delete(
                    f"{collection('rbac.authorization.k8s.io/v1/clusterrolebindings')}/{binding['metadata']['name']}"
                )
            assert len(caplog.records) == 1
        assert "orphan-cm" in names_of(await tidy.tombstones.of("clean-config-maps"))


async def looks_until_seen(tidy: Tidying, looks: Callable[[int], Awaitable[int]]) -> bool:
    """Within an hour, whatever was forbidden before."""
    for _ in range(61):
        await looks(1)
        if await tidy.tombstones.of("clean-config-maps"):
            return True
    return False


async def test_cleanup_that_may_not_mark_counts_its_looks_tells_once_and_deletes_nothing(
    devcluster_shared: DevCluster,
    namespace: str,
    account: Account,
    healing_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shipped = roles(namespace, "lacking")
    for rule in (rule for each in shipped for rule in each.get("rules", ())):
        if "configmaps" in rule["resources"]:
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != "patch"]
    kubeconfig = await asyncio.to_thread(account, "lacking", shipped)
    maps: Json = {"min_age": "0s", "grace": "0s", "scans": 2}
    async with (
        connected(kubeconfig) as api,
        tidying(devcluster_shared, namespace, healing_url, live=lambda _: live(api), clean_config_maps=maps) as tidy,
    ):
        devcluster_shared.api.create(a_config_map(namespace, "orphan-cm"))
        with caplog.at_level(logging.WARNING, logger="auto_healing.cleanup.cleaner"):
            for _ in range(3):
                scan = await tidy.look("clean-config-maps")
                tidy.clock.step(HOUR)
        (said,) = [record.message for record in caplog.records]
        assert 'it lacks the rule {apiGroups: [""], resources: ["configmaps"], verbs: ["patch"]}' in said
        (stone,) = scan.stones
        assert (stone.scans, stone.told, stone.due_at) == (3, False, None)
        last = (await tidy.tombstones.last_looks())["clean-config-maps"]
        assert last.result is not None
        assert "may not tell owners, so it deletes nothing" in last.result["failed"]
        assert "orphan-cm" in tidy.names("v1/configmaps")


async def test_the_service_tells_in_readyz_what_it_lacks_and_heals_with_what_it_has(
    place: Place, account: Account, healing_url: str, tmp_path: Path
) -> None:
    kubeconfig = await asyncio.to_thread(account, "lacking", without(EVICTIONS, roles(place.namespace, "lacking")))
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nmode: auto\nscope: {opt_in: false}\n")
    settings = {
        "CLUSTER__NAME": "test",
        "POLICY__FILE": policy,
        "LEADER__ELECTION": "lease",
        "LEADER__NAMESPACE": place.namespace,
    }
    pod = await a_ready_pod(place)
    healer = start_program(HealingService, kubeconfig, tmp_path, healing_url, settings)
    try:
        await healer.storing()
        await healer.becomes("rights", "degraded", EVICTION_RULE)
        assert "drain" in (await healer.dependency("rights"))[1]
        body = {
            "action": "delete-pod",
            "target": {"kind": "Pod", "namespace": pod.namespace, "name": pod.name},
            "reason": "a test wants it",
        }
        answer = await healer.answer("/api/v1/runs", "POST", json=body)
        assert answer.status_code == 202, answer.text
        await healer.says("verifying", "delete-pod", within=60)
        assert healer.log.count("a right is missing") == 1
    finally:
        await healer.close()
