"""Incidents from health_monitor's events: read from its real API in process, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.support.alert_intake import Intake
from tests.support.health_api import Api, an_api, bearer
from tests.support.health_database import an_event, claim, health_target, health_url
from tests.support.rows import a_namespace, a_node, a_pod, a_snapshot, a_status
from tests.support.waiting import eventually

from alert_service.incidents.alert import Source
from alert_service.intake.health_intake import HealthIntake
from alert_service.storage.inbox import InboxFull
from common.clock import SystemClock
from common.contracts import Change
from common.database.connections import Database
from common.database.settings import DatabaseSettings
from common.monitor.catch_up import CatchUp, NotTaken
from common.monitor.client import MonitorClient
from common.web.auth import Scope

__all__ = ["health_url"]

pytestmark = pytest.mark.database

TOKEN = bearer(Scope.READ)["Authorization"].removeprefix("Bearer ")
CRASHING = a_status(ready=False, state="waiting", reason="CrashLoopBackOff", restarts=9)


class Monitored:
    """A health_monitor with a crashing pod, and the one who reads it into incidents."""

    def __init__(self, api: Api, epoch: int, intake: Intake) -> None:
        self.api = api
        self.intake = intake
        self.client = MonitorClient("http://monitor", TOKEN, transport=httpx.ASGITransport(api.app))
        self.health = HealthIntake(intake.database, intake.inbox, self.client, intake.clock)
        self._epoch = epoch
        self.listings = 0

    async def tells(self, name: str, change: Change = Change.OPENED, **changes: Any) -> None:
        await self.api.store(self._epoch, [an_event(name, change, **changes)])

    async def listed(self) -> None:
        """Read the list of findings, and work off what comes of it."""
        await self.health.listed(await self.client.listing())
        await self.intake.work()

    async def open_pods(self) -> list[str]:
        """Names of the pods with an alert that fires in an open incident."""
        rows = await self.intake.rows(
            "SELECT alert->'labels'->>'pod' FROM member JOIN incident ON incident.id = incident_id "
            "WHERE status = 'firing' AND state <> 'resolved' AND alert->'labels' ? 'pod' ORDER BY 1"
        )
        return [name for (name,) in rows]

    @asynccontextmanager
    async def read(self) -> AsyncIterator[None]:
        def listed(listing: object) -> object:
            self.listings += 1
            return self.health.listed(listing)  # type: ignore[arg-type]

        catch_up = CatchUp(
            self.client,
            self.health,
            SystemClock(),
            on_listing=listed,  # type: ignore[arg-type]
            on_set_back=lambda head: None,
        )
        task = asyncio.create_task(catch_up.run())
        try:
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def shows(self, *pods: str) -> None:
        async def so() -> bool:
            await self.intake.pipeline.work()
            return await self.open_pods() == sorted(pods)

        await eventually(so)


@pytest.fixture
async def monitored(health_url: str, alert_database: Database) -> AsyncIterator[Monitored]:
    database = Database(health_target(health_url), DatabaseSettings())
    snapshot = a_snapshot(a_namespace(), a_node(), a_pod("checkout-1", ready=False, statuses=(CRASHING,)))
    api = an_api(snapshot, database)
    intake = Intake(alert_database)
    intake.clock.jump(datetime.now(UTC) - intake.clock.now())
    found = Monitored(api, await claim(database), intake)
    yield found
    api.stopping.set()
    await found.client.close()
    await database.close()


async def test_the_first_start_opens_what_is_wrong_now_and_goes_on_with_events(monitored: Monitored) -> None:
    await monitored.tells("long-ago")
    async with monitored.read():
        await monitored.shows("checkout-1")
        await monitored.tells("web-1")
        await monitored.shows("checkout-1", "web-1")
        await monitored.tells("web-1", Change.RESOLVED)
        await monitored.shows("checkout-1")


async def test_what_was_told_while_nobody_read_is_read_at_the_next_start(monitored: Monitored) -> None:
    async with monitored.read():
        await monitored.shows("checkout-1")
    await monitored.tells("web-1")
    listings = monitored.listings
    async with monitored.read():
        await monitored.shows("checkout-1", "web-1")
    assert listings == 1


async def test_the_list_opens_what_no_event_told_and_ends_what_is_over(monitored: Monitored) -> None:
    await monitored.tells("gone")
    page = await monitored.client.events(None)
    await monitored.health.receive(page.events, monitored.intake.clock.now())
    await monitored.intake.work()
    assert await monitored.open_pods() == ["gone"]
    await monitored.listed()
    assert await monitored.open_pods() == ["checkout-1", "gone"], "it was heard of while the list was read"
    monitored.intake.clock.step(timedelta(minutes=1))
    await monitored.listed()
    assert await monitored.open_pods() == ["checkout-1"]


async def test_the_same_list_again_changes_nothing(monitored: Monitored) -> None:
    await monitored.listed()
    before = await monitored.intake.history()
    for _ in range(2):
        monitored.intake.clock.step(timedelta(minutes=1))
        await monitored.listed()
    assert await monitored.intake.history() == before


async def test_what_stands_for_a_storm_is_not_ended_by_a_list_that_has_it_not(monitored: Monitored) -> None:
    await monitored.tells("web-1", part="storm", storm=True)
    page = await monitored.client.events(None)
    await monitored.health.receive(page.events, monitored.intake.clock.now())
    await monitored.intake.work()
    monitored.intake.clock.step(timedelta(minutes=1))
    await monitored.listed()
    assert await monitored.open_pods() == ["checkout-1", "web-1"]


async def test_a_full_inbox_leaves_the_cursor_where_it_is(monitored: Monitored) -> None:
    await monitored.tells("web-1")
    page = await monitored.client.events(None)

    class Full:
        async def put(self, source: Source, key: str, body: bytes, at: datetime) -> None:
            raise InboxFull("no room")

    full = HealthIntake(monitored.intake.database, Full(), monitored.client, monitored.intake.clock)  # type: ignore[arg-type]
    with pytest.raises(NotTaken, match="no room"):
        await full.receive(page.events, monitored.intake.clock.now(), read_up_to=page.next_cursor)
    assert await full.read_up_to() == (0, None)
