"""The API server is killed or slow: nothing is taken back or made up, one is told to be blind, and then sees again."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster_objects import a_bare_pod, evict, forget
from tests.support.service import Service, running
from tests.support.told import changes_of

from devcluster import DevCluster, Settings, testing

pytestmark = [pytest.mark.cluster, pytest.mark.database]

NAMESPACE = "default"
OUTAGE_SECONDS = 20
PENDING_FOR = timedelta(minutes=5)  # until it is a finding
POLICY = """
version: 1
checks:
  cluster-view-stale: {thresholds: {stale: 5s}}
  cluster-api-unreachable: {thresholds: {after: 5s}}
  pod-pending: {thresholds: {failing_after: 5m}}
"""
BLIND = ("cluster-view-stale", "cluster-api-unreachable", "cluster-api-errors", "cluster-api-slow")


@pytest.fixture(scope="module")
def cluster() -> Iterator[DevCluster]:
    with testing.private_cluster(Settings(nodes=3, node_grace_seconds=180)) as cluster:
        yield cluster


def of_the_cluster(events: list[dict[str, Any]]) -> list[str]:
    """What was told that is not about our own blindness."""
    found = [(event["data"]["change"], event["data"]["finding"]) for event in events]
    return [f"{change} {of['code']}: {of['message']}" for change, of in found if of["code"] not in BLIND]


async def seen(service: Service, name: str) -> None:
    await service.told("pod-evicted", namespace=NAMESPACE)
    await service.until("findings", lambda page: page["items"], name=name, code="pod-evicted")


async def test_an_outage_of_the_api_server_opens_and_resolves_nothing_but_its_own_findings(
    cluster: DevCluster, health_url: str, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    fault = cluster.fault("api-server-stopped")
    await asyncio.to_thread(evict, cluster, NAMESPACE, "evicted-before")
    async with running(cluster.kubeconfig, health_url, POLICY__FILE=policy) as service:
        await service.storing()
        await seen(service, "evicted-before")
        await asyncio.to_thread(cluster.api.create, a_bare_pod(NAMESPACE, "pending"))
        await service.until("cluster", lambda body: body["objects"]["pods"] == 2)
        before = len(await service.events())
        confidence = (await service.get("cluster"))["score"]["confidence"]

        await asyncio.to_thread(fault.on)
        try:
            gone_at = asyncio.get_running_loop().time()
            await service.becomes("watch", "degraded", "Pod is stale")
            assert (await service.answer("/readyz")).status_code == 200
            await service.told("cluster-api-unreachable")
            await service.told("cluster-view-stale")
            blind = await service.get("cluster")
            assert blind["score"]["confidence"] < confidence
            assert blind["objects"]["pods"] == 2
            assert await service.metric('source_synced{kind="Pod"}') == 0
            await asyncio.sleep(gone_at + OUTAGE_SECONDS - asyncio.get_running_loop().time())
            away_until = datetime.now(UTC)
        finally:
            await asyncio.to_thread(fault.off)

        for kind in ("Node", "Pod", "Lease"):
            await service.reaches(f'source_synced{{kind="{kind}"}}', lambda synced: synced == 1)
        for code in ("cluster-api-unreachable", "cluster-view-stale"):
            await service.told(code, "resolved")
        assert of_the_cluster(await service.events(after=before)) == []
        assert await pending_becomes_finding_at(service) >= away_until + PENDING_FOR

        await asyncio.to_thread(forget, cluster, NAMESPACE, "evicted-before")
        await asyncio.to_thread(evict, cluster, NAMESPACE, "evicted-after")
        await seen(service, "evicted-after")
        await service.told("pod-evicted", "resolved", namespace=NAMESPACE)
        events = await service.settled(NAMESPACE)
        assert changes_of(events, "pod-evicted", NAMESPACE, "evicted-before") == ["opened", "resolved"]
        assert changes_of(events, "pod-evicted", NAMESPACE, "evicted-after") == ["opened"]


async def pending_becomes_finding_at(service: Service) -> datetime:
    """Its timer has started anew as soon as the views of pods and nodes are whole, which the log tells."""

    async def restarted() -> bool:
        return "the view of kind Pod is whole again" in service.log

    await service.eventually(restarted)
    question = {"kind": "Pod", "namespace": NAMESPACE, "name": "pending"}
    answer = (await service.answer("/api/v1/explain", "POST", json=question)).json()
    waiting = next(check for check in answer["checks"] if check["code"] == "pod-pending")
    assert waiting["verdict"] == "waiting"
    return datetime.fromisoformat(waiting["symptoms"][0]["becomes_finding_at"])


async def test_with_a_slow_api_server_changes_are_seen_all_the_same(cluster: DevCluster, health_url: str) -> None:
    fault = cluster.fault("api-server-slow")
    await asyncio.to_thread(fault.on)
    try:
        async with running(cluster.kubeconfig, health_url) as service:
            await service.storing()
            await asyncio.to_thread(evict, cluster, NAMESPACE, "slow")
            await service.until("findings", lambda page: page["items"], name="slow", code="pod-evicted")
            await service.settled(NAMESPACE)
    finally:
        await asyncio.to_thread(fault.off)
