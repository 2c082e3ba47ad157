"""Fan-out of live messages: nobody is waited for, nobody is kept for ever."""

import asyncio
from uuid import uuid4

import pytest
from tests.support.clock import NOON

from common.contracts import Change, EventData, Finding, HealthEvent, ObjectKey, ObjectRef, Severity
from health_monitor.engine.outcome import ScoreChange
from health_monitor.stream import Hub, HubClosed, SlowConsumer

NODE = ObjectKey("Node", "", "n1")


def an_event(cursor: int) -> HealthEvent:
    finding = Finding(
        code="node-not-ready",
        object=ObjectRef(kind="Node", name="n1"),
        severity=Severity.CRITICAL,
        message="one line\nand another",
        since=NOON,
    )
    data = EventData(change=Change.OPENED, finding=finding, detected_at=NOON)
    return HealthEvent(
        id=str(uuid4()), source="/clusters/dev", type="t", subject="Node/n1", time=NOON, cursor=cursor, data=data
    )


async def test_every_client_gets_every_message_in_order() -> None:
    hub = Hub()
    with hub.client() as one, hub.client() as other:
        hub.publish_events([an_event(1), an_event(2)])
        for client in (one, other):
            received = [await client.next(5), await client.next(5)]
            assert [message.cursor for message in received if message] == [1, 2]


async def test_a_message_wakes_a_client_that_waits() -> None:
    hub = Hub()
    with hub.client() as client:
        waiting = asyncio.create_task(client.next(30))
        await asyncio.sleep(0)
        hub.publish_scores([ScoreChange(key=NODE, score=20.0, at=NOON)])
        message = await waiting

    assert message is not None
    assert message.frame == (
        b'event: score\ndata: {"object":{"kind":"Node","name":"n1","namespace":"","uid":""},'
        b'"score":20.0,"at":"2026-03-01T12:00:00Z"}\n\n'
    )


async def test_silence_is_told_so_that_a_heartbeat_can_be_sent() -> None:
    with Hub().client() as client:
        assert await client.next(0.001) is None


async def test_an_event_carries_its_cursor_as_id_and_stays_on_one_line() -> None:
    hub = Hub()
    with hub.client() as client:
        hub.publish_events([an_event(7)])
        message = await client.next(5)

    assert message is not None
    lines = message.frame.decode().splitlines()
    assert lines[0] == "event: event"
    assert lines[1].startswith('data: {"specversion":"1.0"')
    assert lines[2:] == ["id: 7", ""]


async def test_a_client_that_does_not_keep_up_is_cut_off_and_counted() -> None:
    hub = Hub(max_waiting=3)
    with hub.client() as client:
        hub.publish_events([an_event(cursor) for cursor in range(1, 6)])
        with pytest.raises(SlowConsumer):
            await client.next(5)

    assert hub.dropped == 1
    assert hub.clients == 0


async def test_a_slow_client_does_not_hold_up_the_others() -> None:
    hub = Hub(max_waiting=3)
    with hub.client() as fast, hub.client():
        for cursor in range(1, 10):
            hub.publish_events([an_event(cursor)])
            message = await fast.next(5)
            assert message is not None
            assert message.cursor == cursor


async def test_closing_ends_those_who_wait_and_those_who_come_later() -> None:
    hub = Hub()
    with hub.client() as client:
        waiting = asyncio.create_task(client.next(30))
        await asyncio.sleep(0)
        hub.close()
        with pytest.raises(HubClosed):
            await waiting
    with hub.client() as client, pytest.raises(HubClosed):
        await client.next(30)
