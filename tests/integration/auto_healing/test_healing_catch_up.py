"""Reading health_monitor's events after the last one known: its real API in process, and a liar in its place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.support.clock import NOON
from tests.support.health_api import Api, an_api, bearer
from tests.support.health_database import an_event, claim, health_target, health_url
from tests.support.rows import a_namespace, a_node, a_pod, a_snapshot, a_status
from tests.support.waiting import eventually

from auto_healing.storage.inbox import Inbox
from common.clock import SystemClock
from common.database.connections import Database
from common.database.settings import DatabaseSettings
from common.monitor.catch_up import CatchUp
from common.monitor.client import CursorExpired, Listing, MonitorClient, MonitorUnavailable
from common.web.auth import Scope

__all__ = ["health_url"]

pytestmark = pytest.mark.database

TOKEN = bearer(Scope.READ)["Authorization"].removeprefix("Bearer ")
URL = "http://monitor"
CRASHING = a_status(ready=False, state="waiting", reason="CrashLoopBackOff", restarts=9)


class Line(httpx.AsyncBaseTransport):
    """The way to health_monitor, which can be cut."""

    def __init__(self, api: Api) -> None:
        self._app = httpx.ASGITransport(api.app)
        self.cut = False
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.raw_path.decode())
        if self.cut:
            raise httpx.ConnectError("connection refused")
        return await self._app.handle_async_request(request)


class Monitor:
    """A health_monitor with a crashing pod, its events, and the one who reads them."""

    def __init__(self, api: Api, epoch: int, inbox: Inbox) -> None:
        self.api = api
        self.inbox = inbox
        self.line = Line(api)
        self.listings: list[Listing] = []
        self.client = MonitorClient(URL, TOKEN, transport=self.line)
        self.set_back: list[int] = []
        self.catch_up = CatchUp(
            self.client, inbox, SystemClock(), on_listing=self.listings.append, on_set_back=self.set_back.append
        )
        self._epoch = epoch

    async def tells(self, *names: str, **changes: Any) -> None:
        await self.api.store(self._epoch, [an_event(name, **changes) for name in names])

    async def waiting(self) -> list[str]:
        return [event.data.finding.object.name for event in await self.inbox.waiting(1000)]

    async def has_read(self, *names: str) -> None:
        async def they_wait() -> bool:
            return await self.waiting() == list(names)

        await eventually(they_wait)

    async def has_listed(self, times: int) -> None:
        async def so_often() -> bool:
            return len(self.listings) >= times

        await eventually(so_often)

    async def cursor(self) -> int:
        return (await self.inbox.read_up_to())[0]

    @asynccontextmanager
    async def read(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.catch_up.run())
        try:
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def monitor(health_url: str, healing_database: Database) -> AsyncIterator[Monitor]:
    database = Database(health_target(health_url), DatabaseSettings())
    snapshot = a_snapshot(a_namespace(), a_node(), a_pod("checkout-1", ready=False, statuses=(CRASHING,)))
    api = an_api(snapshot, database)
    found = Monitor(api, await claim(database), Inbox(healing_database))
    yield found
    api.stopping.set()
    await found.client.close()
    await database.close()


async def test_the_first_start_begins_with_what_is_wrong_now_and_not_with_the_past(monitor: Monitor) -> None:
    await monitor.tells("long-ago", "also-past")
    async with monitor.read():
        await monitor.has_listed(1)
        await monitor.tells("now")
        await monitor.has_read("now")

    (listing,) = monitor.listings
    assert listing.head == 2
    assert "checkout-1" in {finding.object.name for finding in listing.findings}
    assert await monitor.catch_up.trouble() is None
    assert monitor.catch_up.heard_at is not None


async def test_it_is_heard_once_its_list_was_read_though_there_is_nothing_to_tell(monitor: Monitor) -> None:
    """The question for events stays open for long then."""
    assert "not been asked" in (await monitor.catch_up.trouble() or "")
    async with monitor.read():
        await monitor.has_listed(1)
        assert await monitor.catch_up.trouble() is None


async def test_what_was_told_while_nobody_read_is_read_at_the_next_start(monitor: Monitor) -> None:
    async with monitor.read():
        await monitor.has_listed(1)
    await monitor.tells("missed-1", "missed-2")
    async with monitor.read():
        await monitor.has_read("missed-1", "missed-2")

    assert await monitor.cursor() == 2


async def test_what_a_webhook_brought_already_is_not_stored_again(monitor: Monitor) -> None:
    async with monitor.read():
        await monitor.has_listed(1)
    await monitor.tells("web-1", "web-2")
    page = await monitor.client.events(None)
    await monitor.inbox.receive(page.events[1:], NOON)
    async with monitor.read():
        await monitor.has_read("web-1", "web-2")


async def test_a_stream_that_was_set_back_is_followed_from_its_head_with_the_full_list(monitor: Monitor) -> None:
    await monitor.tells("before")
    await monitor.inbox.receive((), NOON, read_up_to=999)
    async with monitor.read():
        await monitor.has_listed(2)  # at the start, and again when the cursor is refused
        await monitor.tells("after")
        await monitor.has_read("after")
    assert monitor.set_back == [1]


async def test_a_storm_has_the_full_list_read(monitor: Monitor) -> None:
    async with monitor.read():
        await monitor.has_listed(1)
        await monitor.tells("storm", storm=True)
        await monitor.has_listed(2)


async def test_a_monitor_that_is_away_is_told_and_read_on_when_it_is_back(monitor: Monitor) -> None:
    monitor.line.cut = True
    async with monitor.read():

        async def told() -> bool:
            return "connection refused" in (await monitor.catch_up.trouble() or "")

        await eventually(told)
        monitor.line.cut = False
        await monitor.has_listed(1)
        await monitor.tells("web-1")
        await monitor.has_read("web-1")
        assert await monitor.catch_up.trouble() is None


async def test_pages_are_read_to_their_end(monitor: Monitor) -> None:
    await monitor.tells(*(f"web-{number}" for number in range(7)))
    first = await monitor.client.events(None, limit=3)
    second = await monitor.client.events(first.next_cursor, limit=10)

    assert [event.cursor for event in [*first.events, *second.events]] == list(range(1, 8))
    assert (first.more, second.more) == (True, False)


def answering(*answers: tuple[int, str]) -> MonitorClient:
    """Of somebody who answers this, and the last of it for ever."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        status, text = left.pop(0) if len(left) > 1 else left[0]
        return httpx.Response(status, text=text)

    return MonitorClient(URL, "t0ken", transport=httpx.MockTransport(answer))


EMPTY = '{"events": [], "next_cursor": 0, "head": 0, "more": false}'
ODD = '{"items": [{"code": 7}]}'


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param([(200, "<html>welcome</html>")], "no health_monitor of this version", id="a page for people"),
        pytest.param([(200, "{}")], "no health_monitor of this version", id="another API"),
        pytest.param([(200, EMPTY), (200, ODD)], "no health_monitor of this version", id="findings that are none"),
        pytest.param([(302, "")], "no health_monitor of this version", id="a way to a login"),
        pytest.param([(401, "")], "MONITOR__TOKEN", id="a token that it does not know"),
        pytest.param([(403, "")], "MONITOR__TOKEN", id="a token without the right"),
        pytest.param([(503, "still reading")], "answers 503: still reading", id="an error with its reason"),
    ],
)
async def test_what_is_no_answer_is_told_in_words_for_operators(answers: list[tuple[int, str]], said: str) -> None:
    client = answering(*answers)
    with pytest.raises(MonitorUnavailable, match=said) as caught:
        await client.listing()
    await client.close()

    assert URL in str(caught.value)
    assert "t0ken" not in str(caught.value)


async def test_events_that_are_gone_are_another_thing_than_no_answer() -> None:
    client = answering((410, "too old"))
    with pytest.raises(CursorExpired):
        await client.events(7)
    await client.close()


async def test_no_nonsense_ends_the_reading(healing_database: Database) -> None:
    client = answering((200, "nonsense"), (410, "gone"))
    catch_up = CatchUp(
        client, Inbox(healing_database), SystemClock(), on_listing=lambda _: None, on_set_back=lambda _: None
    )
    task = asyncio.create_task(catch_up.run())

    async def all_came() -> bool:
        assert not task.done(), task
        return catch_up.reason == "gone"

    await eventually(all_came)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()
