"""PostgreSQL stops, crashes, or is not there yet: monitoring goes on, and afterwards nothing is missing."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.cluster_objects import evict
from tests.support.postgres import DURABLE
from tests.support.service import Service, running
from tests.support.told import changes_of, key_of

from common.database import embedded
from common.database.embedded import EmbeddedPostgres
from common.database.embedded_server import Server
from devcluster import DevCluster

pytestmark = [pytest.mark.cluster, pytest.mark.database]

WAITING = "outbox_events"


def stop(server: Server) -> None:
    server.pg_ctl("stop", "-m", "fast", "-w", "-s")


def crash(server: Server) -> None:
    """The first process dies, the others find out."""
    os.kill(int((server.data / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGKILL)


async def still_monitors(service: Service, namespace: str, name: str) -> None:
    """Scores, findings and metrics know of the pod, and stored things say in one line that they are away."""
    await service.until("findings", lambda page: page["items"], namespace=namespace, name=name, code="pod-evicted")
    assert (await service.get(f"pods/{namespace}/{name}"))["score"]["value"] < 100
    assert await service.metric("cluster_score") is not None
    assert (await service.answer("/livez")).status_code == 200
    assert (await service.answer("/readyz")).status_code == 200
    events = await service.answer("/api/v1/events")
    assert events.status_code == 503
    assert events.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("end", [pytest.param(stop, id="stops"), pytest.param(crash, id="crashes")])
async def test_what_happens_while_postgresql_is_away_is_stored_in_order_afterwards(
    end: Callable[[Server], None],
    private_postgres: EmbeddedPostgres,
    postgres_folder: Path,
    devcluster_shared: DevCluster,
    namespace: str,
) -> None:
    server = Server.at(postgres_folder).with_programs()
    async with running(devcluster_shared.kubeconfig, private_postgres.url) as service:
        await service.storing()
        await asyncio.to_thread(evict, devcluster_shared, namespace, "before")
        await service.told("pod-evicted", namespace=namespace)

        await asyncio.to_thread(end, server)
        names = [f"during-{number}" for number in range(5)]
        for name in names:
            await asyncio.to_thread(evict, devcluster_shared, namespace, name)
            await still_monitors(service, namespace, name)
        await service.becomes("database", "degraded")
        assert await service.reaches(WAITING, lambda waiting: waiting >= len(names))
        assert await service.metric("outbox_capacity_events") == 100_000

        await asyncio.to_thread(server.start, DURABLE)
        await service.becomes("database", "ready")
        events = await service.settled(namespace)
        told = [key_of(event["data"]["finding"]) for event in events]
        assert [key[3] for key in told if key[:3] == ("pod-evicted", "Pod", namespace)] == ["before", *names]
        await service.reaches(WAITING, lambda waiting: waiting == 0)


async def test_a_postgresql_that_is_not_there_at_the_start_is_waited_for(
    postgres_folder: Path, devcluster_shared: DevCluster, namespace: str
) -> None:
    server = Server.at(postgres_folder).with_programs()
    await asyncio.to_thread(evict, devcluster_shared, namespace, "before")
    async with running(devcluster_shared.kubeconfig, server.url) as service:
        await service.ready()
        await still_monitors(service, namespace, "before")
        await service.becomes("database", "degraded")

        with await asyncio.to_thread(embedded.start, postgres_folder, DURABLE):
            await service.storing()
            events = await service.settled(namespace)
            assert changes_of(events, "pod-evicted", namespace, "before") == ["opened"]
            await service.becomes("database", "ready")
