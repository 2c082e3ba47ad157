"""The other main job: faults of a real cluster are healed, or refused with the right reason, and the ledger says so."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.healing_service import HealingService, healing_pair
from tests.support.service import WITHIN_SECONDS

from devcluster import DevCluster, Settings, testing
from devcluster.api import collection, wait_for
from devcluster.workloads import Workload, workload_objects

pytestmark = [pytest.mark.cluster, pytest.mark.database]

# Everything by itself, and as soon as it is seen; the guards are all there.
POLICY = """
version: 1
mode: auto
scope: {opt_in: false}
rules:
  - name: bad-revision
    match: {codes: [pod-crash-loop, deployment-rollout-stuck], levels: [revision], min_age: 1s}
  - name: crash-loop
    match: {codes: [pod-crash-loop], levels: [pod], min_age: 1s}
    ladder: [evict-pod, call-a-human]
  - name: node-silent
    match: {codes: [node-unknown], levels: [node], min_age: 1s}
guards:
  grace: {default: 1s, restarts: 1, codes: {node-unknown: 1s, pod-crash-loop: 1s}}
  cooldown: {target: 1s, owner: 1s}
cleanup:
  clean-evicted-pods: {mode: auto, schedule: "0 0 1 1 *", min_age: 1s, grace: 1s, scans: 1, keep: 1, most_objects: 100}
  clean-jobs: {mode: auto, schedule: "0 0 1 1 *", failed_after: 1s, grace: 1s, scans: 1}
  clean-volume-claims:
    {mode: auto, schedule: "0 0 1 1 *", min_age: 1s, grace: 1s, scans: 1, without_snapshot: delete}
"""
HEALED_SECONDS = 180.0


@pytest.fixture
def shop() -> Iterator[DevCluster]:
    """Workloads of a few pods, on nodes that are given up after ten seconds of silence."""
    with testing.private_cluster(Settings(nodes=6, node_grace_seconds=10)) as cluster:
        cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for name in ("checkout", "cart", "search"):
            for body in workload_objects(Workload("shop", name, 3), replicas=3):
                cluster.api.create(body)
        for name in ("checkout", "cart", "search"):
            path = f"{collection('apps/v1/deployments', 'shop')}/{name}"
            ready = lambda path=path: cluster.api.get(path)["status"].get("readyReplicas") == 3  # noqa: E731
            wait_for(name, ready, WITHIN_SECONDS)
        yield cluster


def pods_of(cluster: DevCluster, name: str) -> list[str]:
    path = f"{collection('v1/pods', 'shop')}?labelSelector=app.kubernetes.io/name%3D{name}"
    return sorted(pod["metadata"]["name"] for pod in cluster.api.items(path))


async def swept(healer: HealingService, rule: str) -> None:
    """By hand, since the schedule would take until New Year: look until something is due, and delete it."""
    wanted = {"dry_run": False, "reason": "a test"}

    async def begun() -> bool:
        looked = await healer.answer(f"/api/v1/cleanup/{rule}/scan", "POST", json=wanted)
        assert looked.status_code == 202, looked.text
        await asyncio.sleep(2)  # more than the grace
        deleting = await healer.answer(f"/api/v1/cleanup/{rule}/run", "POST", json=wanted)
        assert deleting.status_code in {202, 409}, deleting.text
        return deleting.status_code == 202

    await healer.eventually(begun)
    await healer.says("healed", rule, within=HEALED_SECONDS)


async def test_every_fault_is_healed_or_refused_with_its_reason(
    shop: DevCluster, health_url: str, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    async with healing_pair(shop.kubeconfig, health_url, policy) as (_, healer):

        async def inject(fault: str, target: str) -> None:
            await asyncio.to_thread(shop.fault(fault, target).on)

        # A drain that a disruption budget forbids is refused, and the budget is named.
        budget = f"{collection('policy/v1/poddisruptionbudgets', 'shop')}/search"
        shop.api.patch(budget, {"spec": {"maxUnavailable": 0}})
        pod = shop.api.get(f"{collection('v1/pods', 'shop')}/{pods_of(shop, 'search')[0]}")
        wanted = {
            "action": "drain",
            "target": {"kind": "Node", "name": pod["spec"]["nodeName"]},
            "reason": "to see what happens",
        }

        async def refused() -> dict[str, object] | None:
            answer = await healer.answer("/api/v1/runs", "POST", json=wanted)
            told = next(iter(reversed(await healer.ledger(action="drain", guard="disruption-budget"))), None)
            return told if answer.is_success or answer.status_code == 409 else None

        entry = await healer.eventually(refused)
        assert "search" in entry["message"]
        shop.api.patch(budget, {"spec": {"maxUnavailable": 1}})

        # A single pod that crashes is evicted, and its successor does well.
        victim = pods_of(shop, "cart")[0]
        await inject("crash-loop", f"shop/{victim}")
        entry = await healer.says("healed", "evict-pod", within=HEALED_SECONDS)
        assert entry["name"] == victim
        assert victim not in pods_of(shop, "cart")

        # A bad revision is taken back.
        await inject("bad-rollout", "shop/checkout")
        entry = await healer.says("healed", "roll-back", within=HEALED_SECONDS)
        assert (entry["kind"], entry["name"]) == ("Deployment", "checkout")
        run = await healer.get(f"runs/{entry['run_id']}")
        assert run["run"]["state"] == "healed"

        # A node that is gone is left by its pods.
        pod = shop.api.get(f"{collection('v1/pods', 'shop')}/{pods_of(shop, 'search')[0]}")
        await inject("node-dark", pod["spec"]["nodeName"])
        entry = await healer.says("healed", "reschedule-from-node", within=HEALED_SECONDS)
        assert entry["name"] == pod["spec"]["nodeName"]

        # Remains are swept in two phases.
        await inject("evicted-pile", "shop/search")
        await swept(healer, "clean-evicted-pods")
        await inject("failed-jobs", "shop/report")
        await swept(healer, "clean-jobs")
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "old", "namespace": "shop"}}
        claim["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        shop.api.create(claim)
        await swept(healer, "clean-volume-claims")

        async def gone() -> bool:
            return not shop.api.exists(f"{collection('v1/persistentvolumeclaims', 'shop')}/old")

        await healer.eventually(gone)

        # All of it can be proved, and whoever asks what was done finds it.
        proof = await healer.get("audit/verify")
        assert proof["intact"] is True
        assert proof["entries"] == len(await healer.ledger())
