"""Reads and guarded writes on a real API server."""

from dataclasses import replace

import pytest
from tests.support.healing_cluster import Place, a_budget, a_place, a_workload, ref_of
from tests.support.waiting import eventually

from auto_healing.kube.cluster import EvictionBlocked, NotActing
from common.contracts import ObjectRef
from common.kube.errors import Conflict, KubeError
from devcluster import DevCluster

pytestmark = pytest.mark.cluster


async def a_ready_pod(place: Place, replicas: int = 1) -> ObjectRef:
    place.cluster.api.create(a_workload(place.namespace, replicas=replicas))
    await place.ready("Deployment", "web", replicas)
    return ref_of(place.pods()[0])


async def counted(place: Place, healthy: int) -> None:
    """Until every budget of the namespace has counted its pods."""

    async def done() -> bool:
        budgets = place.objects("policy/v1/poddisruptionbudgets")
        return all(budget.get("status", {}).get("currentHealthy") == healthy for budget in budgets)

    await eventually(done)


def config_map(place: Place, name: str = "settings", **data: str) -> ObjectRef:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": place.namespace}}
    return ref_of(place.cluster.api.create(body | {"data": data}) | {"kind": "ConfigMap"})


async def test_a_budget_without_headroom_is_named_at_once_and_then_lets_go(place: Place) -> None:
    pod = await a_ready_pod(place, replicas=2)
    place.cluster.api.create(a_budget(place.namespace, minAvailable=2))
    await counted(place, 2)

    with pytest.raises(EvictionBlocked) as refused:
        await place.live.evict(pod)

    assert refused.value.pdbs == ("web",)
    assert not refused.value.never
    assert "needs 2 healthy pods and has 2 currently" in str(refused.value)
    place.cluster.api.delete(f"/apis/policy/v1/namespaces/{place.namespace}/poddisruptionbudgets/web")
    assert await place.live.evict(pod)


async def test_a_pod_of_two_budgets_can_never_be_evicted(place: Place) -> None:
    pod = await a_ready_pod(place)
    for name in ("first", "second"):
        place.cluster.api.create(a_budget(place.namespace, name, maxUnavailable=1))
    await counted(place, 1)

    with pytest.raises(EvictionBlocked) as refused:
        await place.live.evict(pod)

    assert refused.value.never
    assert refused.value.pdbs == ("first", "second")


async def test_another_life_of_a_pod_is_left_alone(place: Place) -> None:
    pod = await a_ready_pod(place)
    former = replace(pod, uid="00000000-0000-0000-0000-000000000000")

    assert not await place.live.evict(former)
    assert not await place.live.delete(former)
    assert await place.live.read(former) is None
    assert not await place.live.delete(replace(pod, name="never-there"))
    assert not await place.live.evict(replace(pod, name="never-there"))
    assert await place.live.read(pod) is not None


async def test_a_delete_with_an_old_version_is_a_conflict(place: Place) -> None:
    ref = config_map(place, level="1")
    version = (await place.live.read(ref) or {})["metadata"]["resourceVersion"]
    await place.live.patch(ref, {"data": {"level": "2"}})

    with pytest.raises(Conflict):
        await place.live.delete(ref, resource_version=version)

    assert await place.live.read(ref) is not None
    assert await place.live.delete(ref)
    assert await place.live.read(ref) is None


async def test_a_patch_of_another_life_or_an_old_version_is_a_conflict(place: Place) -> None:
    ref = config_map(place, level="1")
    version = (await place.live.read(ref) or {})["metadata"]["resourceVersion"]
    changed = await place.live.patch(ref, {"data": {"level": "2"}}, resource_version=version)

    with pytest.raises(Conflict):
        await place.live.patch(ref, {"data": {"level": "3"}}, resource_version=version)
    with pytest.raises(Conflict):
        await place.live.patch(replace(ref, uid="00000000-0000-0000-0000-000000000000"), {"data": {"level": "4"}})

    assert changed["data"] == {"level": "2"}
    assert (await place.live.read(ref) or {})["data"] == {"level": "2"}


async def test_a_workload_is_scaled_only_in_the_life_that_was_seen(place: Place) -> None:
    place.cluster.api.create(a_workload(place.namespace, replicas=0))
    ref = place.ref("Deployment", "web")

    await place.live.scale(ref, 2)

    assert place.get("Deployment", "web")["spec"]["replicas"] == 2
    with pytest.raises(Conflict):
        await place.live.scale(replace(ref, uid="00000000-0000-0000-0000-000000000000"), 0)
    assert place.get("Deployment", "web")["spec"]["replicas"] == 2


async def test_the_content_of_a_secret_is_never_read(place: Place) -> None:
    metadata = {"name": "login", "namespace": place.namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": "hunter2"}}
    ref = ref_of(place.cluster.api.create(secret) | {"kind": "Secret"})

    read, listed = await place.live.read(ref), await place.live.list("Secret", place.namespace)

    assert read == listed[0]
    assert set(read or {}) == {"apiVersion", "kind", "metadata"}
    assert "hunter2" not in str(read)
    assert "aHVudGVyMg" not in str(read)


async def test_lists_are_whole_named_and_selected(place: Place) -> None:
    for number in range(3):
        config_map(place, f"settings-{number}")

    chosen = await place.live.list("ConfigMap", place.namespace, fields="metadata.name=settings-1")

    names = {item["metadata"]["name"] for item in await place.live.list("ConfigMap", place.namespace)}
    assert names >= {"settings-0", "settings-1", "settings-2"}
    assert [(item["apiVersion"], item["kind"], item["metadata"]["name"]) for item in chosen] == [
        ("v1", "ConfigMap", "settings-1")
    ]


async def test_who_does_not_lead_writes_nothing(devcluster_shared: DevCluster, namespace: str) -> None:
    async with a_place(devcluster_shared, namespace, may_write=lambda: False) as place:
        ref = config_map(place, level="1")
        pod = replace(ref, kind="Pod")
        before = await place.live.read(ref)

        for write in (
            place.live.patch(ref, {"data": {"level": "2"}}),
            place.live.delete(ref),
            place.live.evict(pod),
            place.live.scale(replace(ref, kind="Deployment"), 3),
            place.live.create({"kind": "ConfigMap", "metadata": {"name": "more", "namespace": namespace}}),
        ):
            with pytest.raises(NotActing):
                await write
        await place.live.event(ref, reason="Healed", message="nobody hears of it")

        assert await place.live.read(ref) == before
        assert not [each for each in place.objects("v1/events") if each["reason"] == "Healed"]


async def test_a_write_without_a_uid_is_a_mistake(place: Place) -> None:
    nameless = ObjectRef(kind="ConfigMap", namespace=place.namespace, name="settings")
    with pytest.raises(ValueError, match="uid"):
        await place.live.delete(nameless)


async def test_a_grace_of_zero_is_a_mistake(place: Place) -> None:
    pod = await a_ready_pod(place)
    for write in (place.live.delete(pod, grace_seconds=0), place.live.evict(pod, grace_seconds=0)):
        with pytest.raises(ValueError, match="grace of 0"):
            await write
    assert await place.live.read(pod) is not None


async def test_the_same_event_again_is_counted(place: Place) -> None:
    ref = config_map(place)
    for message in ("restarted it", "restarted it", "rolled it back"):
        await place.live.event(ref, reason="Healing", message=message, warning=True)

    told = {each["message"]: each for each in place.objects("v1/events") if each["reason"] == "Healing"}

    assert {message: each["count"] for message, each in told.items()} == {"restarted it": 2, "rolled it back": 1}
    assert told["restarted it"]["involvedObject"]["uid"] == ref.uid
    assert told["restarted it"]["type"] == "Warning"


async def test_an_event_about_a_node_has_its_place(place: Place) -> None:
    node = place.cluster.api.items("/api/v1/nodes")[0]
    message = f"looked at from {place.namespace}"
    await place.live.event(ref_of(node | {"kind": "Node"}), reason="Healing", message=message)

    told = place.cluster.api.items("/api/v1/namespaces/default/events")
    assert [each["involvedObject"]["name"] for each in told if each["message"] == message] == [node["metadata"]["name"]]


async def test_logs_that_no_kubelet_has_are_an_error_soon(place: Place) -> None:
    pod = await a_ready_pod(place)
    with pytest.raises(KubeError, match="get pods/log"):
        await place.live.logs(pod, "app", previous=False, lines=100)


async def test_what_was_created_is_there_once(place: Place) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "namespace": place.namespace}}
    created = await place.live.create(body)
    with pytest.raises(Conflict):
        await place.live.create(body)
    assert await place.live.read(ref_of(dict(created))) == created
