"""The event stream over a real socket: live, resumed, filtered, ended."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.support.clock import NOON
from tests.support.health_api import Api, an_api
from tests.support.health_database import an_event, claim
from tests.support.rows import a_node, a_snapshot
from tests.support.waiting import eventually

from common.contracts import ObjectKey, Severity
from common.database.connections import Database
from health_monitor.engine.outcome import ScoreChange
from health_monitor.stream import Hub

pytestmark = pytest.mark.database

NODE = ScoreChange(key=ObjectKey("Node", "", "n1"), score=20, at=NOON)


@dataclass(frozen=True)
class Message:
    """One server-sent event."""

    event: str
    data: Any
    id: str | None


async def messages(
    client: httpx.AsyncClient, headers: dict[str, str] | None = None, **parameters: Any
) -> AsyncIterator[Message]:
    async with client.stream("GET", "/api/v1/stream", params=parameters, headers=headers or {}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield Message(fields["event"], json.loads(fields["data"]), fields.get("id"))
                fields = {}


async def listening(api: Api) -> None:
    async def connected() -> bool:
        return api.hub.clients > 0

    await eventually(connected)


def names(found: list[Message]) -> list[str]:
    return [each.data["data"]["finding"]["object"]["name"] for each in found]


async def take(stream: AsyncIterator[Message], count: int) -> list[Message]:
    async with asyncio.timeout(60):
        return [await anext(stream) for _ in range(count)]


async def test_events_and_scores_come_as_they_happen(database: Database) -> None:
    api = an_api(a_snapshot(a_node()), database)
    epoch = await claim(database)
    async with api.served() as client, aclosing(messages(client)) as stream:
        reading = asyncio.create_task(take(stream, 2))
        await listening(api)
        api.hub.publish_scores([NODE])
        await api.store(epoch, [an_event("a")])
        score, event = await reading

    assert (score.event, score.data["score"], score.id) == ("score", 20, None)
    assert (event.event, event.id) == ("event", "1")
    assert names([event]) == ["a"]


@pytest.mark.parametrize("how", ["Last-Event-ID", "after"])
async def test_a_client_reads_on_from_the_last_id_it_has(database: Database, how: str) -> None:
    api = an_api(a_snapshot(a_node()), database)
    epoch = await claim(database)
    await api.store(epoch, [an_event(name) for name in ("a", "b", "c")])
    async with api.served() as client:
        stream = messages(client, after=1) if how == "after" else messages(client, {"Last-Event-ID": "1"})
        async with aclosing(stream):
            missed = await take(stream, 2)
            await listening(api)
            await api.store(epoch, [an_event("d")])
            live = await take(stream, 1)

    assert names(missed + live) == ["b", "c", "d"]
    assert [each.id for each in missed + live] == ["2", "3", "4"]


async def test_more_events_than_a_page_are_read_without_a_gap(database: Database) -> None:
    api = an_api(a_snapshot(a_node()), database)
    await api.store(await claim(database), [an_event(f"p{n}") for n in range(1200)])
    async with api.served() as client, aclosing(messages(client, after=0)) as stream:
        found = await take(stream, 1200)

    assert [each.id for each in found] == [str(cursor) for cursor in range(1, 1201)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({"what": "events"}, ["a", "b", "c"], id="events only"),
        pytest.param({"what": "events", "severity": "critical"}, ["a", "c"], id="by severity"),
        pytest.param({"what": "events", "kind": "Node"}, ["c"], id="by kind"),
        pytest.param({"what": "events", "namespace": "shop"}, ["a", "b"], id="by namespace"),
    ],
)
@pytest.mark.parametrize("stored_before", [True, False])
async def test_only_what_is_wanted_comes(
    database: Database, wanted: dict[str, str], expected: list[str], stored_before: bool
) -> None:
    api = an_api(a_snapshot(a_node()), database)
    epoch = await claim(database)
    told = [
        an_event("a"),
        an_event("b", severity=Severity.INFO),
        an_event("c", kind="Node", namespace=""),
    ]
    if stored_before:
        await api.store(epoch, told)
    async with api.served() as client, aclosing(messages(client, after=0, **wanted)) as stream:
        reading = asyncio.create_task(take(stream, len(expected)))
        await listening(api)
        if not stored_before:
            api.hub.publish_scores([NODE])
            await api.store(epoch, told)
        found = await reading

    assert names(found) == expected


async def test_a_cursor_whose_events_are_gone_is_refused_before_anything_is_streamed(database: Database) -> None:
    api = an_api(a_snapshot(a_node()), database)
    async with api.served() as client:
        answer = await client.get("/api/v1/stream", params={"after": 5})

    assert answer.status_code == 410
    assert answer.json()["reason"] == "ahead"


async def test_a_client_that_does_not_keep_up_is_disconnected(database: Database) -> None:
    api = an_api(a_snapshot(a_node()), database, hub=Hub(max_waiting=2))
    async with api.served() as client, aclosing(messages(client, what="scores")) as stream:
        reading = asyncio.create_task(take(stream, 1000))
        await listening(api)
        api.hub.publish_scores([NODE] * 3)
        with pytest.raises(StopAsyncIteration):
            await reading

    assert api.hub.dropped == 1


async def test_scores_are_streamed_without_a_database() -> None:
    api = an_api(a_snapshot(a_node()))
    async with api.served() as client, aclosing(messages(client, what="scores")) as stream:
        reading = asyncio.create_task(take(stream, 1))
        await listening(api)
        api.hub.publish_scores([NODE])
        found = await reading

    assert found[0].data["object"]["name"] == "n1"


async def test_streams_end_with_the_service() -> None:
    api = an_api(a_snapshot(a_node()))
    async with api.served() as client, aclosing(messages(client, what="scores")) as stream:
        reading = asyncio.create_task(take(stream, 1))
        await listening(api)
        api.hub.close()
        with pytest.raises(StopAsyncIteration):
            await reading
