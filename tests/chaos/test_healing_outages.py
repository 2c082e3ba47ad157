"""PostgreSQL, the API server and health_monitor go away: nothing harmful meanwhile, everything afterwards."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.healing_service import HealingService
from tests.support.healing_team import GUARDS, a_shop, all_in_order, break_one, team_of, was_replaced
from tests.support.postgres import DURABLE
from tests.support.service import WITHIN_SECONDS

from common.database.embedded import EmbeddedPostgres
from common.database.embedded_server import Server
from devcluster import DevCluster
from devcluster.api import collection

pytestmark = [pytest.mark.cluster, pytest.mark.database]

POLICY = f"""
version: 1
mode: observe
scope: {{opt_in: false}}
rules:
  - name: crash-loop
    mode: auto
    match: {{codes: [pod-crash-loop], levels: [pod], min_age: 1s}}
    ladder: [{{action: delete-pod, verify: 1m}}, call-a-human]
{GUARDS}
"""
SILENCE_SECONDS = 25  # as the policy says: longer than one question to health_monitor takes
A_WHILE_SECONDS = 3  # in which it would have been done
NAMES = ("cart", "checkout", "search", "payment", "account")


@pytest.fixture
def shop() -> Iterator[DevCluster]:
    with a_shop(*NAMES) as cluster:
        yield cluster


def is_there(cluster: DevCluster, pod: str) -> bool:
    path = f"{collection('v1/pods', 'shop')}/{pod}"
    return cluster.api.exists(path) and "deletionTimestamp" not in cluster.api.get(path)["metadata"]


async def pause(healer: HealingService) -> None:
    answer = await healer.answer("/api/v1/pauses/cluster", "PUT", json={"reason": "a test"})
    assert answer.status_code == 200, answer.text


async def resume(healer: HealingService) -> None:
    assert (await healer.answer("/api/v1/pauses/cluster", "DELETE")).status_code == 204


async def refused(healer: HealingService, pod: str, guard: str, saying: str) -> None:
    """Waits until the guard stops what would be done about the pod, with these words."""

    async def is_told() -> bool:
        told = await healer.ledger(name=pod, guard=guard)
        return any(saying in entry["message"] for entry in told)

    await healer.eventually(is_told)


async def sees_again(healer: HealingService) -> None:
    """What is not served at all, such as usage figures, it never sees."""

    async def nothing_is_stale() -> bool:
        return " is stale" not in (await healer.dependency("watch"))[1]

    await healer.eventually(nothing_is_stale)


async def begun(healer: HealingService, pod: str) -> None:
    """The pod was deleted, and it is watched what comes of it."""
    await healer.says("verifying", "delete-pod", within=WITHIN_SECONDS, name=pod)


async def test_what_goes_away_is_waited_for_and_then_everything_is_healed(
    shop: DevCluster, private_postgres: EmbeddedPostgres, postgres_folder: Path, tmp_path: Path
) -> None:
    postgres = Server.at(postgres_folder).with_programs()
    async with team_of(shop.kubeconfig, private_postgres.url, tmp_path, POLICY) as team:
        monitor, healer = team.services[0], await team.start_healer()
        await healer.storing()

        # PostgreSQL goes away while a run is watched, and something more breaks meanwhile.
        watched = await break_one(shop, "cart")
        await begun(healer, watched)
        await asyncio.to_thread(postgres.pg_ctl, "stop", "-m", "immediate", "-w", "-s")
        unstored = await break_one(shop, "checkout")
        await monitor.until("findings", lambda page: page["items"], name=unstored, code="pod-crash-loop")
        assert (await healer.answer("/api/v1/audit")).status_code == 503
        await asyncio.sleep(A_WHILE_SECONDS)
        assert is_there(shop, unstored)
        await asyncio.to_thread(postgres.start, DURABLE)
        await begun(healer, unstored)

        # What is found during a pause is left alone.
        await pause(healer)
        paused = [await break_one(shop, "search"), await break_one(shop, "payment")]
        for victim in paused:
            await refused(healer, victim, "paused", "a test")
        assert all(is_there(shop, victim) for victim in paused)
        for victim in (watched, unstored):  # which a pause does not keep from being watched
            await was_replaced(healer, shop, victim)

        # Without the API server nobody knows what is true now.
        await monitor.kill()
        silent_since = time.monotonic()
        await asyncio.to_thread(shop.stop, "kube-apiserver")
        try:
            await healer.becomes("watch", "degraded", "Pod is stale")
            await resume(healer)
            for victim in paused:
                await refused(healer, victim, "fresh-view", "")
            await pause(healer)
        finally:
            await asyncio.to_thread(shop.start)

        # Nor without health_monitor, which has been silent for too long.
        await sees_again(healer)
        unseen = await break_one(shop, "account")
        await asyncio.sleep(silent_since + SILENCE_SECONDS - time.monotonic())
        await resume(healer)
        for victim in paused:
            await refused(healer, victim, "fresh-view", "health_monitor was last heard")
        assert all(is_there(shop, victim) for victim in [*paused, unseen])

        # It is back, and so is what was to be done.
        await team.start_monitor().ready()
        for victim in [*paused, unseen]:
            await was_replaced(healer, shop, victim)
        await all_in_order(healer, shop)
