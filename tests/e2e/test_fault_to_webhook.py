"""The main job: faults of a real cluster become events, signed webhooks and pages behind a cursor; so do their ends."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.receiver import Receiver, a_receiver
from tests.support.service import WITHIN_SECONDS, running
from tests.support.told import still_open
from tests.support.waiting import eventually

from devcluster import DevCluster, Settings, testing
from devcluster.api import collection, wait_for
from devcluster.workloads import Workload, workload_objects

pytestmark = [pytest.mark.cluster, pytest.mark.database]

POLICY = """
version: 1
checks:
  pod-image-pull: {thresholds: {after: 5s}}
  pvc-pending: {thresholds: {after: 5s}}
"""
# Fault, its target, and the finding it leads to: code, kind, namespace and the start of the name. The dark node comes
# last: it counts as ready for a while, and no pod that is to fail may be placed on it meanwhile.
FAULTS = (
    ("crash-loop", "shop/checkout", ("pod-crash-loop", "Pod", "shop", "checkout-")),
    ("image-pull-error", "shop/cart", ("pod-image-pull", "Pod", "shop", "cart-")),
    ("stuck-pvc", "shop/archive", ("pvc-pending", "PersistentVolumeClaim", "shop", "archive")),
    ("disk-pressure", "general-0001", ("node-disk-pressure", "Node", "", "general-0001")),
    ("node-dark", "general-0000", ("node-unknown", "Node", "", "general-0000")),
)


@pytest.fixture
def shop() -> Iterator[DevCluster]:
    """Two workloads of two pods, on nodes that are given up after ten seconds of silence."""
    with testing.private_cluster(Settings(nodes=4, node_grace_seconds=10)) as cluster:
        cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for name in ("checkout", "cart"):
            for body in workload_objects(Workload("shop", name, 2), replicas=2):
                cluster.api.create(body)
            path = f"{collection('apps/v1/deployments', 'shop')}/{name}"
            ready = lambda path=path: cluster.api.get(path)["status"].get("readyReplicas") == 2  # noqa: E731
            wait_for(name, ready, WITHIN_SECONDS)
        yield cluster


async def delivered(receiver: Receiver, change: str, wanted: tuple[str, str, str, str]) -> None:
    """Waits for the webhook about it."""
    code, kind, namespace, name = wanted

    async def is_there() -> bool:
        findings = [event.data.finding for event in receiver.accepted if event.data.change == change]
        return any(
            (finding.code, finding.object.kind, finding.object.namespace) == (code, kind, namespace)
            and finding.object.name.startswith(name)
            for finding in findings
        )

    is_there.__qualname__ = f"{code} {change} was delivered"  # which the failure names
    await eventually(is_there, within_seconds=WITHIN_SECONDS)


async def test_every_fault_is_told_signed_and_read_after_a_cursor_and_so_is_its_end(
    shop: DevCluster, health_url: str, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    async with (
        a_receiver(lambda: datetime.now(UTC)) as receiver,
        running(shop.kubeconfig, health_url, POLICY__FILE=policy) as service,
    ):
        await service.storing()
        await service.subscribe(receiver)
        healthy = (await service.get("cluster"))["score"]["value"]

        for fault, target, finding in FAULTS:
            await asyncio.to_thread(shop.fault(fault, target).on)
            await delivered(receiver, "opened", finding)
        assert (await service.get("cluster"))["score"]["value"] < healthy
        detail = await service.get("nodes/general-0001")
        assert "node-disk-pressure" in {each["code"] for each in detail["findings"]}

        for fault, target, _ in FAULTS:
            await asyncio.to_thread(shop.fault(fault, target).off)
        for _, _, finding in FAULTS:
            await delivered(receiver, "resolved", finding)

        async def all_delivered() -> bool:
            stored = await service.events()
            since = min(receiver.cursors)
            return {each["cursor"] for each in stored if each["cursor"] >= since} <= set(receiver.cursors)

        await service.settled("shop")
        await eventually(all_delivered)
        stored = {event["id"]: event for event in await service.events()}
        still_open(stored.values())
        for event in receiver.accepted:
            assert stored[event.id] == event.model_dump(mode="json")
