"""Readers that hold every connection of theirs do not keep events from being stored."""

import asyncio

import pytest
from pydantic import SecretStr
from tests.support.clock import SteppedClock
from tests.support.health_database import an_event, claim, run_until_done, scalar

from common.metrics import ServiceMetrics
from health_monitor.metrics import SERVICE, Metrics
from health_monitor.settings import MonitorSettings, StorageSettings
from health_monitor.storage.storage import Storage
from health_monitor.stream import Hub

pytestmark = pytest.mark.database


async def test_events_are_stored_while_readers_hold_all_their_connections(health_url: str) -> None:
    settings = MonitorSettings(
        database=StorageSettings(url=SecretStr(health_url), pool_size=1, connect_timeout_seconds=30)
    )
    storage = Storage(settings, SteppedClock(), Hub(), Metrics(ServiceMetrics(SERVICE, "1.0")), source="/clusters/c")
    opened = await storage.open()
    opened.outbox.lead(await claim(opened.leading))
    running = asyncio.create_task(opened.outbox.run())
    async with opened.database.begin():
        storage.put([an_event()], [])
        assert await opened.outbox.flush(25)
        assert await scalar(opened.leading, "SELECT count(*) FROM event") == 1
    await run_until_done(running)
    await storage.close()
