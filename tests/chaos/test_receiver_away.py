"""The subscriber of webhooks is down: nothing is lost, it is told, and everything arrives when it is back."""

import asyncio
from datetime import UTC, datetime

import pytest
from tests.support.cluster_objects import evict
from tests.support.receiver import a_receiver, answer
from tests.support.service import running
from tests.support.waiting import eventually

from devcluster import DevCluster

pytestmark = [pytest.mark.cluster, pytest.mark.database]


async def test_what_happens_while_the_receiver_is_down_arrives_afterwards_and_can_be_sent_again(
    devcluster_shared: DevCluster, namespace: str, health_url: str
) -> None:
    async with (
        a_receiver(lambda: datetime.now(UTC)) as receiver,
        running(devcluster_shared.kubeconfig, health_url) as service,
    ):
        await service.storing()
        wanted = {"codes": ["pod-evicted"], "namespaces": [namespace]}
        subscription = await service.subscribe(receiver, **wanted)
        path = f"subscriptions/{subscription}"

        async def arrived(count: int) -> None:
            async def are_there() -> bool:
                return len(receiver.accepted) == count

            await eventually(are_there, within_seconds=120)

        await asyncio.to_thread(evict, devcluster_shared, namespace, "before")
        await arrived(1)

        await receiver.stop()
        for number in range(4):
            await asyncio.to_thread(evict, devcluster_shared, namespace, f"down-{number}")
        await service.until(path, lambda body: body["state"] == "failing")
        waiting = await service.until(f"{path}/deliveries", lambda page: len(page["items"]) == 5)
        assert sorted(each["state"] for each in waiting["items"]) == ["delivered", *["queued"] * 4]
        assert len(receiver.accepted) == 1

        receiver.next_answers.append(answer(503))  # it is not well at once
        await receiver.start()
        await arrived(5)
        stored = await service.events(code="pod-evicted", namespace=namespace)
        assert sorted(receiver.cursors) == [event["cursor"] for event in stored]
        assert len({event.id for event in receiver.accepted}) == 5
        await service.until(path, lambda body: body["state"] != "failing")

        again = stored[0]["cursor"]
        queued = await service.answer(f"/api/v1/{path}/redeliver", "POST", json={"cursor": again})
        assert queued.json() == {"queued": 1}
        await arrived(6)
        assert receiver.cursors[-1] == again
        assert receiver.accepted[-1].id == stored[0]["id"]
