"""Removed objects are created again from their manifests, once, on a real API server and a real PostgreSQL."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support.clock import NOON
from tests.support.healing_cluster import Place, a_place, a_workload
from tests.support.healing_database import healing_rows
from tests.support.healing_store import a_healing_client, a_plan, a_stored_run, store_runs
from tests.support.waiting import eventually

from auto_healing import marks
from auto_healing.api import evidence
from auto_healing.kube.cluster import NotActing
from auto_healing.kube.restorable import NotRestorable
from auto_healing.restore import restore
from auto_healing.storage.ledger import Ledger, Search
from auto_healing.storage.manifests import Manifest, Manifests
from common.contracts import ObjectRef
from common.database.connections import Database
from common.web.auth import Scope
from devcluster import DevCluster

pytestmark = [pytest.mark.cluster, pytest.mark.database]


@pytest.fixture
async def place(devcluster_shared: DevCluster, namespace: str) -> AsyncIterator[Place]:
    async with a_place(devcluster_shared, namespace) as place:
        yield place


async def removed(place: Place, database: Database, body: Mapping[str, Any]) -> Manifest:
    """Create the object, keep it, delete it."""
    created = place.cluster.api.create(dict(body))
    ref = ObjectRef(
        kind=body["kind"], namespace=place.namespace, name=body["metadata"]["name"], uid=created["metadata"]["uid"]
    )
    return await kept_and_removed(place, database, ref)


async def kept_and_removed(place: Place, database: Database, ref: ObjectRef) -> Manifest:
    found = await place.live.read(ref)
    assert found is not None
    (run,) = await store_runs(database, a_stored_run(plan=a_plan(ref.name)))
    manifest_id = await Manifests(database).save(found, run_id=run, at=NOON, epoch=None)
    await place.live.delete(ref)

    async def gone() -> bool:
        return await place.live.read(ref) is None

    await eventually(gone)
    return await the_manifest(database, manifest_id)


async def the_manifest(database: Database, manifest_id: UUID) -> Manifest:
    manifest = await Manifests(database).get(manifest_id)
    assert manifest is not None
    return manifest


def a_config_map(namespace: str, name: str = "settings", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "web"}, **metadata},
        "data": {"colour": "blue"},
    }


async def events(database: Database) -> list[str]:
    return [entry.event for entry in reversed(await Ledger(database).search(Search(action="restore")))]


async def test_an_object_is_restored_once_and_both_answers_are_recorded(
    place: Place, healing_database: Database
) -> None:
    gone = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone", "uid": str(uuid4())}
    manifest = await removed(place, healing_database, a_config_map(place.namespace))
    content = {**manifest.content, "metadata": {**manifest.content["metadata"], "ownerReferences": [gone]}}
    await healing_rows(
        healing_database, "UPDATE manifest SET content = CAST(:content AS json)", content=json.dumps(content)
    )
    url = f"/api/v1/manifests/{manifest.summary.id}/restore"
    async with a_healing_client(
        healing_database, [evidence.router], scope=Scope.OPERATE, cluster=place.live
    ) as operator:
        answer = await operator.post(url)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["notes"] == ["it no longer belongs to Deployment gone, which is gone"]
        again = await operator.post(url)
        assert (again.status_code, again.json()["detail"]) == (
            409,
            f"ConfigMap {place.namespace}/settings was restored by operate at 2026-03-01T12:00:00+00:00 already",
        )
        assert (await operator.post(f"/api/v1/manifests/{uuid4()}/restore")).status_code == 404
        listed = (await operator.get("/api/v1/manifests", params={"name": "settings"})).json()["items"]
        assert (listed[0]["restored_by"], "content" in listed[0]) == ("operate", False)
    found = await place.live.read(manifest.summary.object.key.ref())
    assert found is not None
    assert (found["data"], found["metadata"]["labels"]) == ({"colour": "blue"}, {"app": "web"})
    assert found["metadata"]["annotations"][marks.RESTORED_FROM] == str(manifest.summary.id)
    assert (found["metadata"]["uid"], "ownerReferences" in found["metadata"]) == (body["object"]["uid"], False)
    assert await events(healing_database) == ["restore-started", "restored", "restore-refused"]
    (told,) = await place.live.list("Event", place.namespace, fields=f"involvedObject.uid={body['object']['uid']}")
    assert (told["reason"], told["message"].startswith("operate restored ConfigMap")) == ("Restored", True)


async def test_who_may_only_read_restores_nothing(place: Place, healing_database: Database) -> None:
    manifest = await removed(place, healing_database, a_config_map(place.namespace))
    async with a_healing_client(
        healing_database, [evidence.router], scope=Scope.APPROVE, cluster=place.live
    ) as approver:
        assert (await approver.post(f"/api/v1/manifests/{manifest.summary.id}/restore")).status_code == 403
    assert await place.live.read(manifest.summary.object.key.ref()) is None


async def test_what_has_the_name_by_now_is_left_alone(place: Place, healing_database: Database) -> None:
    manifest = await removed(place, healing_database, a_config_map(place.namespace))
    place.cluster.api.create({**a_config_map(place.namespace), "data": {"colour": "green"}})
    async with a_healing_client(healing_database, [evidence.router], cluster=place.live) as client:
        answer = await client.post(f"/api/v1/manifests/{manifest.summary.id}/restore")
    assert (answer.status_code, "already; nothing was changed" in answer.json()["detail"]) == (409, True)
    found = await place.live.read(manifest.summary.object.key.ref())
    assert found is not None
    assert found["data"] == {"colour": "green"}
    assert await events(healing_database) == ["restore-refused"]


class Interrupted(Exception):
    pass


class Dying:
    """Creates, and is not heard of again: the process has died on the line after."""

    def __init__(self, place: Place) -> None:
        self._live = place.live

    async def create(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        await self._live.create(manifest)
        raise Interrupted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)


async def test_a_restore_whose_end_was_not_recorded_is_ended_by_the_next_try(
    place: Place, healing_database: Database
) -> None:
    manifest = await removed(place, healing_database, a_config_map(place.namespace))
    with pytest.raises(Interrupted):
        await restore(manifest, Dying(place), healing_database, by="ada", at=NOON)  # type: ignore[arg-type]
    assert await events(healing_database) == ["restore-started"]
    created = await place.live.read(manifest.summary.object.key.ref())
    restored = await restore(manifest, place.live, healing_database, by="eve", at=NOON)
    assert created is not None
    assert restored.object.uid == created["metadata"]["uid"]
    assert (await the_manifest(healing_database, manifest.summary.id)).summary.restored_by == "eve"


async def test_a_replica_that_may_not_write_says_so(
    devcluster_shared: DevCluster, place: Place, healing_database: Database
) -> None:
    manifest = await removed(place, healing_database, a_config_map(place.namespace))
    async with a_place(devcluster_shared, place.namespace, lambda: False) as standby:
        standing_by = a_healing_client(healing_database, [evidence.router], cluster=standby.live, acting=False)
        async with standing_by as client:
            answer = await client.post(f"/api/v1/manifests/{manifest.summary.id}/restore")
        with pytest.raises(NotActing):
            await restore(manifest, standby.live, healing_database, by="ada", at=NOON)
    assert (answer.status_code, "another replica leads" in answer.json()["detail"]) == (503, True)
    assert await events(healing_database) == ["restore-started", "restore-failed"]


async def test_a_job_comes_back_suspended_and_a_service_with_another_ip(
    place: Place, healing_database: Database
) -> None:
    container = {"name": "app", "image": "web:1"}
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": template}}
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}], "selector": {"app": "x"}}}
    for body in (job, service):
        body["metadata"] = {"name": "web", "namespace": place.namespace}
        manifest = await removed(place, healing_database, body)
        restored = await restore(manifest, place.live, healing_database, by="ada", at=NOON)
        found = await place.live.read(restored.object)
        assert found is not None
        assert len(restored.notes) == 1
        if body is job:
            assert found["spec"]["suspend"] is True
            assert "it is suspended" in restored.notes[0]
        else:
            assert "it gets another cluster IP" in restored.notes[0]


async def test_a_pod_keeps_an_owner_that_is_alive(place: Place, healing_database: Database) -> None:
    place.cluster.api.create(a_workload(place.namespace, "StatefulSet"))
    await place.ready("StatefulSet", "web", 1)
    stateful_set = place.ref("StatefulSet", "web")
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": stateful_set.uid}
    unknown = {"apiVersion": "example.com/v1", "kind": "Gadget", "name": "g", "uid": str(uuid4())}
    manifest = await removed(place, healing_database, a_config_map(place.namespace, ownerReferences=[owner]))
    content = {**manifest.content, "metadata": {**manifest.content["metadata"], "ownerReferences": [owner, unknown]}}
    restored = await restore(
        Manifest(summary=manifest.summary, content=content), place.live, healing_database, by="ada", at=NOON
    )
    found = await place.live.read(restored.object)
    assert found is not None
    assert found["metadata"]["ownerReferences"] == [owner]
    assert restored.notes == ("it no longer belongs to Gadget g, which is gone",)


def a_claim(place: Place, volume: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": place.namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
            "volumeName": volume,
        },
    }


def a_volume(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/data"},
        },
    }


async def test_a_claim_gets_its_own_volume_back(place: Place, healing_database: Database) -> None:
    name = f"volume-{place.namespace}"
    place.cluster.api.create(a_volume(name))
    created = place.cluster.api.create(a_claim(place, name))
    claim = ObjectRef(
        kind="PersistentVolumeClaim", namespace=place.namespace, name="data", uid=created["metadata"]["uid"]
    )

    async def phase(kind: str, wanted: str) -> None:
        ref = ObjectRef(kind=kind, name=name) if kind == "PersistentVolume" else claim.key.ref()

        async def reached() -> bool:
            found = await place.live.read(ref)
            return found is not None and found.get("status", {}).get("phase") == wanted

        await eventually(reached)

    try:
        await phase("PersistentVolumeClaim", "Bound")
        manifest = await kept_and_removed(place, healing_database, claim)
        await phase("PersistentVolume", "Released")
        await restore(manifest, place.live, healing_database, by="ada", at=NOON)
        await phase("PersistentVolumeClaim", "Bound")
        await phase("PersistentVolume", "Bound")
    finally:
        place.cluster.api.delete(f"/api/v1/persistentvolumes/{name}")


async def test_a_claim_whose_volume_is_gone_is_not_restored_empty(place: Place, healing_database: Database) -> None:
    manifest = await removed(place, healing_database, a_claim(place, f"none-{place.namespace}"))
    with pytest.raises(NotRestorable, match="is gone and no snapshot of it was made"):
        await restore(manifest, place.live, healing_database, by="ada", at=NOON)
    assert await place.live.read(manifest.summary.object.key.ref()) is None
    assert await events(healing_database) == ["restore-refused"]


async def test_what_the_api_server_refuses_is_told(place: Place, healing_database: Database) -> None:
    manifest = await removed(place, healing_database, a_config_map(place.namespace))
    content = {**manifest.content, "metadata": {**manifest.content["metadata"], "namespace": "nowhere-at-all"}}
    summary = manifest.summary
    await healing_rows(healing_database, "UPDATE manifest SET namespace = 'nowhere-at-all'")
    lost = Manifest(summary=(await the_manifest(healing_database, summary.id)).summary, content=content)
    with pytest.raises(NotRestorable, match="nowhere-at-all"):
        await restore(lost, place.live, healing_database, by="ada", at=NOON)
    assert await events(healing_database) == ["restore-started", "restore-failed"]
