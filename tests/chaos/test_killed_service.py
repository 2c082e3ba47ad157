"""The service dies at any moment, alone or as one of two: what is told afterwards is whole, in order and told once."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster_objects import evict, forget
from tests.support.service import Service, start
from tests.support.told import changes_of

from devcluster import DevCluster

pytestmark = [pytest.mark.cluster, pytest.mark.database]

KILLS = 2


@asynccontextmanager
async def changing(cluster: DevCluster, namespace: str) -> AsyncIterator[set[str]]:
    """Pods are evicted, and every second one is removed again, as long as the block lasts. The set: those that stay."""
    stays: set[str] = set()
    over = asyncio.Event()

    async def go_on() -> None:
        number = 0
        while not over.is_set():
            number += 1
            await asyncio.to_thread(evict, cluster, namespace, f"pod-{number}")
            stays.add(f"pod-{number}")
            if number % 2 == 0:
                await asyncio.to_thread(forget, cluster, namespace, f"pod-{number - 1}")
                stays.discard(f"pod-{number - 1}")
            await asyncio.sleep(0.1)

    task = asyncio.create_task(go_on())
    try:
        yield stays
    finally:
        over.set()
        await task


@asynccontextmanager
async def replicas(
    cluster: DevCluster, folder: Path, url: str, count: int, **settings: Any
) -> AsyncIterator[list[Service]]:
    """Services over one database. What is added to the list is ended too."""
    running = [start(cluster.kubeconfig, folder, url, **settings) for _ in range(count)]
    try:
        yield running
    finally:
        for service in running:
            await service.close()


async def all_is_told(service: Service, namespace: str, stays: set[str]) -> None:
    """Exactly those pods that are there are told as evicted, each once."""

    async def are_open() -> bool:
        found = await service.findings(namespace=namespace, code="pod-evicted")
        return {each["object"]["name"] for each in found} == stays

    await service.eventually(are_open)
    events = await service.settled(namespace)
    for name in stays:
        assert changes_of(events, "pod-evicted", namespace, name) == ["opened"]


async def test_a_service_that_is_killed_again_and_again_tells_everything_once(
    devcluster_shared: DevCluster, namespace: str, health_url: str, tmp_path: Path
) -> None:
    moments = random.Random()
    async with replicas(devcluster_shared, tmp_path, health_url, 1) as running:
        async with changing(devcluster_shared, namespace) as stays:
            for _ in range(KILLS):
                await running[-1].storing()
                await asyncio.sleep(moments.uniform(0, 2))
                await running[-1].kill()
                running.append(start(devcluster_shared.kubeconfig, tmp_path, health_url))
            await running[-1].storing()
        await all_is_told(running[-1], namespace, stays)


async def leader_of(services: list[Service]) -> Service:
    """The one that leads, waited for; of two never both for long."""

    async def one_leads() -> Service | None:
        leading = [each for each in services if await each.metric("leader") == 1]
        return leading[0] if len(leading) == 1 else None

    found: Service = await services[0].eventually(one_leads)
    return found


async def test_of_two_replicas_the_other_goes_on_when_the_leader_is_killed_or_leaves(
    devcluster_shared: DevCluster, namespace: str, health_url: str, tmp_path: Path
) -> None:
    election = {"LEADER__ELECTION": "lease", "LEADER__NAMESPACE": namespace}
    async with replicas(devcluster_shared, tmp_path, health_url, 2, **election) as running:
        async with changing(devcluster_shared, namespace) as stays:
            for service in running:
                await service.ready()
            first = await leader_of(running)
            second = next(each for each in running if each is not first)
            await second.until("events", lambda page: page["head"] > 5)
            await first.kill()
            await second.storing()
            third = start(devcluster_shared.kubeconfig, tmp_path, health_url, **election)
            running.append(third)
            await third.ready()
            assert await second.terminate() == 0
            await third.storing()
        await all_is_told(third, namespace, stays)
