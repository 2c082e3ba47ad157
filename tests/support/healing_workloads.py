"""Workloads of a real cluster in the state that a test needs, and what is to be seen of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tests.support.healing_cluster import PLURALS, Json, Place, a_budget, a_place, a_workload, ref_of
from tests.support.waiting import eventually

from auto_healing.kube.revisions import is_ready
from common.contracts import ObjectRef
from devcluster import DevCluster
from devcluster.api import STRATEGIC_PATCH

PODS = 2  # of each workload that `deployed` makes


@pytest.fixture
async def place(devcluster_shared: DevCluster, namespace: str) -> AsyncIterator[Place]:
    async with a_place(devcluster_shared, namespace) as place:
        yield place


async def a_ready_pod(place: Place, replicas: int = 1, **options: Any) -> ObjectRef:
    """A pod of a Deployment that is complete."""
    place.cluster.api.create(a_workload(place.namespace, replicas=replicas, **options))
    await place.ready("Deployment", "web", replicas)
    return ref_of(place.pods()[0])


async def budgeted(place: Place, healthy: int, *, name: str = "web", **rule: Any) -> None:
    place.cluster.api.create(a_budget(place.namespace, name, **rule))

    async def counted() -> bool:
        found = place.objects("policy/v1/poddisruptionbudgets")
        return all(each.get("status", {}).get("currentHealthy") == healthy for each in found)

    await eventually(counted)


def uids(place: Place) -> set[str]:
    return {pod["metadata"]["uid"] for pod in place.pods()}


async def replaced(place: Place, pod: ObjectRef, replicas: int) -> None:
    await place.ready("Deployment", "web", replicas)
    assert pod.uid not in uids(place)


@asynccontextmanager
async def always_ready(place: Place, least: int) -> AsyncIterator[list[int]]:
    """Counts ready pods until the block ends, and fails when they were ever fewer."""
    counts: list[int] = []

    async def watch() -> None:
        while True:
            pods = await place.live.list("Pod", place.namespace)
            counts.append(sum(is_ready(pod) for pod in pods))
            await asyncio.sleep(0.01)

    task = asyncio.create_task(watch())
    try:
        yield counts
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert min(counts) >= least, counts


async def deployed(place: Place, kind: str, **spec: Any) -> ObjectRef:
    """A workload of two pods that is complete. A DaemonSet is kept to two nodes by their names."""
    names = sorted(node["metadata"]["name"] for node in place.cluster.api.items("/api/v1/nodes"))[:PODS]
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": names}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}
    pod = affinity if kind == "DaemonSet" else {}
    place.cluster.api.create(a_workload(place.namespace, kind, replicas=PODS, pod=pod, **spec))
    await place.ready(kind, "web", PODS)
    return place.ref(kind, "web")


def roll_out(place: Place, ref: ObjectRef, image: str, *, broken: bool) -> None:
    """A new revision, which never gets ready when it is broken."""
    label = {"devcluster/fault": "failing-probes" if broken else None}
    template = {"metadata": {"labels": label}, "spec": {"containers": [{"name": "app", "image": image}]}}
    place.cluster.api.patch(place.path(ref.kind, ref.name), {"spec": {"template": template}}, STRATEGIC_PATCH)


async def new_pods(place: Place, image: str) -> None:
    """Until a pod of the revision is there, and the controller has said that it knows it."""

    async def there() -> bool:
        workloads = [each for plural in PLURALS.values() for each in place.objects(f"apps/v1/{plural}")]
        known = all(each["status"].get("observedGeneration") == each["metadata"]["generation"] for each in workloads)
        return known and image in images(place)

    await eventually(there)


def images(place: Place) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in place.pods()]


def template(place: Place, ref: ObjectRef) -> Json:
    found: Json = place.get(ref.kind, ref.name)["spec"]["template"]
    return found


async def at_no_place(place: Place) -> None:
    """From now on the namespace has room for no further pod."""
    now = len(place.pods())
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "full", "namespace": place.namespace},
        "spec": {"hard": {"pods": str(now)}},
    }
    place.cluster.api.create(quota)

    async def counted() -> bool:
        return any(each.get("status", {}).get("used", {}).get("pods") == str(now) for each in quotas(place))

    await eventually(counted)


def quotas(place: Place) -> list[dict[str, Any]]:
    return place.objects("v1/resourcequotas")
