"""Whatever answers in health_monitor's place, events are read at a bounded pace, and what is odd is told in words."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.support.clock import NOON
from tests.support.healing_database import healing_database, healing_rows, healing_url
from tests.support.healing_events import a_pod_finding, an_event
from tests.support.waiting import eventually

from auto_healing.findings import KnownFinding, OpenFindings
from auto_healing.storage.inbox import Inbox, settle
from common.clock import SystemClock
from common.database.connections import Database
from common.monitor.catch_up import CatchUp
from common.monitor.client import Listing, MonitorClient, MonitorUnavailable

__all__ = ["healing_database", "healing_url"]

pytestmark = pytest.mark.database

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def page(next_cursor: int, *, head: int | None = None, events: tuple[Any, ...] = ()) -> web.Response:
    """Of events, as health_monitor answers."""
    body = {
        "events": [event.model_dump(mode="json") for event in events],
        "next_cursor": next_cursor,
        "head": next_cursor if head is None else head,
        "more": False,
    }
    return web.json_response(body)


async def no_findings(_: web.Request) -> web.StreamResponse:
    return web.json_response({"items": [], "next_cursor": None})


class Peer:
    """A real HTTP server in health_monitor's place, which answers as the test wants."""

    def __init__(self, events: Answer, findings: Answer = no_findings) -> None:
        self.events = events
        self.findings = findings
        self.asked: list[tuple[float, str]] = []  # when, and after which cursor; of the questions for events
        self.url = ""

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((time.monotonic(), request.query.get("after", "")))
        return await self.events(request)

    async def _findings(self, request: web.Request) -> web.StreamResponse:
        return await self.findings(request)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Peer"]:
        app = web.Application()
        app.router.add_get("/api/v1/events", self._events)
        app.router.add_get("/api/v1/findings", self._findings)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


class Reader:
    """The one who reads events, and what it made of them."""

    def __init__(self, peer: Peer, database: Database) -> None:
        self.inbox = Inbox(database)
        self.findings = OpenFindings()
        self.listings: list[Listing] = []
        self.client = MonitorClient(peer.url, "t0ken")
        self.catch_up = CatchUp(
            self.client,
            self.inbox,
            SystemClock(),
            on_listing=self._listed,
            on_set_back=self.findings.set_back,
        )

    def _listed(self, listing: Listing) -> None:
        self.listings.append(listing)
        self.findings.reconcile(listing.findings, head=listing.head, now=NOON)

    async def says(self, words: str) -> None:
        async def said() -> bool:
            return words in self.catch_up.reason

        await eventually(said)


@asynccontextmanager
async def reading(peer: Peer, database: Database) -> AsyncIterator[Reader]:
    """From cursor 7 on, which was read before."""
    async with peer.listening():
        reader = Reader(peer, database)
        await reader.inbox.receive((), NOON, read_up_to=7)
        task = asyncio.create_task(reader.catch_up.run())
        try:
            yield reader
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await reader.client.close()


async def ignores_wait(_: web.Request) -> web.StreamResponse:
    return page(7)


async def counts_on_with_nothing(request: web.Request) -> web.StreamResponse:
    return page(int(request.query.get("after", 6)) + 1)


async def always_gone(request: web.Request) -> web.StreamResponse:
    return page(7) if "after" not in request.query else web.json_response({"detail": "gone"}, status=410)


async def stands_still(request: web.Request) -> web.StreamResponse:
    return page(7, head=9, events=(an_event(7),))


async def goes_backwards(_: web.Request) -> web.StreamResponse:
    return page(5, head=9)


async def for_people(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>please log in</html>", content_type="text/html")


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(ignores_wait, id="nothing, at once, again and again"),
        pytest.param(counts_on_with_nothing, id="nothing, with cursors that count on"),
        pytest.param(always_gone, id="gone, also after the head that it names"),
        pytest.param(stands_still, id="the same events for ever"),
        pytest.param(goes_backwards, id="a cursor that goes backwards"),
        pytest.param(for_people, id="a page for people"),
        pytest.param(hangs_up, id="a connection that is cut"),
    ],
)
async def test_no_answer_makes_it_ask_in_a_hot_loop(odd: Answer, healing_database: Database) -> None:
    peer = Peer(odd)
    async with reading(peer, healing_database):

        async def asked_often() -> bool:
            return len(peer.asked) >= 4

        await eventually(asked_often)
    first, last = peer.asked[0][0], peer.asked[3][0]
    assert last - first >= 0.4  # half a second or more after each step, which asks three times at most


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        pytest.param(always_gone, "the full list of findings was read", id="gone for ever"),
        pytest.param(stands_still, "leads from cursor 7 on to 7: look for a cache", id="a cursor that stands still"),
        pytest.param(goes_backwards, "leads from cursor 7 on to 5: look for a cache", id="one that goes backwards"),
        pytest.param(for_people, "is no health_monitor of this version", id="a page for people"),
        pytest.param(hangs_up, "does not answer", id="a connection that is cut"),
    ],
)
async def test_what_is_odd_is_told_and_the_cursor_stays(odd: Answer, said: str, healing_database: Database) -> None:
    async with reading(Peer(odd), healing_database) as reader:
        await reader.says(said)
        assert (await reader.inbox.read_up_to())[0] == 7


async def test_it_reads_on_when_the_oddity_is_over(healing_database: Database) -> None:
    peer = Peer(for_people)
    async with reading(peer, healing_database) as reader:
        await reader.says("no health_monitor")

        async def mended(request: web.Request) -> web.StreamResponse:
            return page(8, events=(an_event(8),)) if request.query.get("after") == "7" else page(8)

        peer.events = mended

        async def read() -> bool:
            return [event.cursor for event in await reader.inbox.waiting(9)] == [8] and not reader.catch_up.reason

        await eventually(read)


async def test_a_monitor_with_a_new_database_is_believed_at_once(healing_database: Database) -> None:
    """Its cursors begin at 1 again, where those known are higher: they must not make its news look old."""
    known = [KnownFinding(finding=a_pod_finding(name), cursor=7, opened_at=NOON) for name in ("gone", "stays")]
    async with healing_database.begin() as connection:
        await settle(connection, [], known, NOON)
    await Inbox(healing_database).receive([an_event(7, name="undecided")], NOON)
    told = [an_event(3, name="new")]

    async def reinstalled(request: web.Request) -> web.StreamResponse:
        after = int(request.query.get("after", 2))
        if after > 2 and told and told[0].cursor != after:
            return web.json_response({"detail": "the cursor is ahead of the stream"}, status=410)
        return page(3, events=tuple(told)) if after == 2 and "after" in request.query else page(max(after, 2))

    async def open_now(_: web.Request) -> web.StreamResponse:
        finding = json.loads(an_event(1, name="stays").model_dump_json())["data"]["finding"]
        return web.json_response({"items": [finding], "next_cursor": None})

    async with reading(Peer(reinstalled, open_now), healing_database) as reader:
        reader.findings.load(known)

        async def read() -> bool:
            return [event.cursor for event in await reader.inbox.waiting(9)] == [3]

        await eventually(read)
        assert [each.object.name for each in reader.findings.all()] == ["stays"]
        news = reader.findings.apply(an_event(3, name="stays"))
        assert news is not None
        async with healing_database.begin() as connection:
            await settle(connection, [], [news], NOON)
    cursors = await healing_rows(healing_database, "SELECT name, cursor FROM finding ORDER BY name")
    assert cursors == [("gone", 2), ("stays", 3)]


async def test_ten_megabytes_are_read_and_more_than_a_few_of_them_are_not(healing_database: Database) -> None:
    long = an_event(8, finding=a_pod_finding(message="x" * (10 << 20)))

    async def ten(_: web.Request) -> web.StreamResponse:
        return page(8, events=(long,))

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * (1 << 20))

    peer = Peer(ten)
    async with peer.listening():
        client = MonitorClient(peer.url, "")
        assert [event.cursor for event in (await client.events(7)).events] == [8]
        peer.events = endless
        with pytest.raises(MonitorUnavailable, match="answers with more than 32 MiB"):
            await client.events(7)
        await client.close()


async def test_an_answer_that_trickles_has_an_end() -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    peer = Peer(trickle)
    async with peer.listening():
        client = MonitorClient(peer.url, "", timeout_seconds=0.5)
        with pytest.raises(MonitorUnavailable, match=r"not answered to its end within 0\.5 s"):
            await client.listing()
        await client.close()


async def test_a_list_of_findings_that_begins_again_for_ever_has_an_end() -> None:
    async def the_same(_: web.Request) -> web.StreamResponse:
        return web.json_response({"items": [], "next_cursor": "again"})

    peer = Peer(ignores_wait, the_same)
    async with peer.listening():
        client = MonitorClient(peer.url, "")
        with pytest.raises(MonitorUnavailable, match="has no last page"):
            await client.listing()
        await client.close()
