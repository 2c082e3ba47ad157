"""Objects that are odd, huge or malformed: each costs itself alone, and is shown as far as it can be read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.api_objects import metadata
from tests.support.apiserver import StandIn, kubeconfig_for
from tests.support.cluster_objects import a_bare_pod, evict
from tests.support.service import running

from devcluster import DevCluster
from devcluster.api import collection, wait_for

JUNK = {
    "k8s-health-checker/mute": "pod-evicted=2026-13-45,,=;💥, no-such-check=never",
    "k8s-health-checker/unknown": "\u202eright to left\u200b, \x7f and \t tabs",
    "a.very-long.prefix.example.com/x": "'; DROP TABLE health.event; --",
    "html": "<script>alert('x')</script>",
    "json": '{"a": [1, {"b": null}], "big": 1e400}',
    "big": "x" * 200_000,
}
ODD_LABELS = {
    "a": "",
    "x.y-z_1": "A.b-C_9",
    "example.com/Some.Name_with-all": "0",
    "l" * 63: "v" * 63,
    f"{'p' * 60}.{'q' * 60}.example/n": "1",
}
LONGEST_NAME = ".".join(["n" * 62] * 4)


@pytest.mark.cluster
async def test_odd_objects_of_a_real_cluster_are_found_scored_and_answered(
    devcluster_shared: DevCluster, namespace: str
) -> None:
    api = devcluster_shared.api
    await asyncio.to_thread(evict, devcluster_shared, namespace, "junk", annotations=JUNK)
    await asyncio.to_thread(evict, devcluster_shared, namespace, "labelled", labels=ODD_LABELS)
    await asyncio.to_thread(evict, devcluster_shared, namespace, LONGEST_NAME)
    crowd = a_bare_pod(namespace, "crowd")
    crowd["spec"]["containers"] = [{"name": f"c{number}", "image": "app:1"} for number in range(1000)]
    await asyncio.to_thread(api.create, crowd)
    async with running(devcluster_shared.kubeconfig) as service:
        await service.ready()
        for name in ("junk", "labelled", LONGEST_NAME):
            detail = await service.until(f"pods/{namespace}/{name}", lambda body: body["findings"])
            assert "pod-evicted" in {each["code"] for each in detail["findings"]}
            assert detail["score"]["value"] < 100
        assert (await service.get(f"pods/{namespace}/labelled"))["labels"] == ODD_LABELS
        assert (await service.get(f"pods/{namespace}/crowd"))["object"]["name"] == "crowd"
        selected = await service.get("pods", namespace=namespace, labels=f"{'l' * 63}={'v' * 63}")
        assert [each["object"]["name"] for each in selected["items"]] == ["labelled"]
        assert await service.metric('objects_malformed_total{kind="Pod"}') == 0


def a_kind(group: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Fleet", "plural": "fleets", "singular": "fleet", "listKind": "FleetList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"fleets.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


@pytest.mark.cluster
async def test_a_pod_that_belongs_to_an_unknown_kind_tells_so(devcluster_shared: DevCluster, namespace: str) -> None:
    api, group = devcluster_shared.api, f"{namespace}.example.com"
    definition = a_kind(group)
    await asyncio.to_thread(api.create, definition)
    try:
        path = collection(f"{group}/v1/fleets", namespace)
        await asyncio.to_thread(wait_for, "the new kind", lambda: api.exists(path))
        fleet = {"apiVersion": f"{group}/v1", "kind": "Fleet", "metadata": {"name": "north", "namespace": namespace}}
        made = await asyncio.to_thread(api.create, fleet)
        owner = {"apiVersion": f"{group}/v1", "kind": "Fleet", "name": "north", "uid": made["metadata"]["uid"]}
        await asyncio.to_thread(
            evict, devcluster_shared, namespace, "ship", ownerReferences=[owner | {"controller": True}]
        )
        async with running(devcluster_shared.kubeconfig) as service:
            await service.ready()
            detail = await service.until(f"pods/{namespace}/ship", lambda body: body["findings"])
            assert [(each["kind"], each["name"]) for each in detail["owners"]] == [("Fleet", "north")]
            listed = await service.get("pods", namespace=namespace)
            assert listed["items"][0]["owner"]["kind"] == "Fleet"
            explained = await service.answer(
                "/api/v1/explain", "POST", json={"kind": "Fleet", "namespace": namespace, "name": "north"}
            )
            assert explained.status_code in {200, 404}
    finally:
        await asyncio.to_thread(api.delete, f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/fleets.{group}")


PODS = "/api/v1/pods"


def evicted(name: str, **changes: Any) -> dict[str, Any]:
    """As an API server sends it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, "shop"),
        "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "app:1"}]},
        "status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"},
    } | changes


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    async with StandIn().serving() as server:
        server.put("/api/v1/namespaces", {"metadata": metadata("shop"), "status": {"phase": "Active"}})
        yield server


async def test_what_no_real_server_would_send_costs_itself_alone(server: StandIn, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(kubeconfig_for(server.url)))
    server.put(PODS, evicted("good"))
    server.put(PODS, evicted("huge", metadata=metadata("huge", "shop", annotations={"note": "x" * (1 << 20)})))
    server.put(PODS, evicted("new", ephemeral={"from": "a later version"}, spec={"containers": [], "quantum": [1]}))
    server.put(PODS, evicted("null", metadata=metadata("null", "shop", labels=None, annotations=None)))
    server.put(PODS, evicted("wrong", status=["not", "an", "object"]))
    async with running(kubeconfig) as service:
        await service.ready()
        for name in ("good", "huge", "new", "null"):
            await service.until("findings", lambda page: page["items"], name=name, code="pod-evicted")
        assert await service.metric('objects_malformed_total{kind="Pod"}') == 1
        assert (await service.answer("/api/v1/pods/shop/wrong")).status_code == 404

        server.put(PODS, evicted("good", status="neither"))
        await service.reaches('objects_malformed_total{kind="Pod"}', lambda count: count == 2)
        server.put(PODS, evicted("wrong"))
        await service.until("findings", lambda page: page["items"], name="wrong", code="pod-evicted")
        server.remove(PODS, "huge", "shop")
        await service.until("pods", lambda page: "huge" not in str(page), namespace="shop")
