"""A database with the schema of health_monitor, and builders of what is stored in it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.clock import NOON
from tests.support.postgres import Postgres

from common.contracts import Change, EventData, Finding, ObjectRef, Severity
from common.database.connections import Database
from common.database.engine import Target
from common.database.migrate import upgrade_blocking
from common.database.settings import DatabaseSettings

MIGRATIONS = "health_monitor:migrations"


def health_target(url: str) -> Target:
    return Target.of(url, schema="health", service="health-monitor")


@pytest.fixture
def health_url(postgres: Postgres) -> Iterator[str]:
    """A database of the test's own with all tables."""
    template = postgres.template("health_template", lambda url: upgrade_blocking(health_target(url), MIGRATIONS))
    url = postgres.new_database(template)
    yield url
    postgres.drop_database(url)


@pytest.fixture
async def database(health_url: str) -> AsyncIterator[Database]:
    opened = Database(health_target(health_url), DatabaseSettings())
    yield opened
    await opened.close()


async def claim(database: Database) -> int:
    """Begin an epoch, as a new leader does."""
    return int(await scalar(database, "UPDATE stream SET epoch = epoch + 1 RETURNING epoch"))


async def scalar(database: Database, sql: str, **values: object) -> Any:
    async with database.begin() as connection:
        return await connection.scalar(text(sql), values)


async def execute(database: Database, sql: str, **values: object) -> None:
    async with database.begin() as connection:
        await connection.execute(text(sql), values)


async def rows(database: Database, sql: str, **values: object) -> list[tuple[Any, ...]]:
    async with database.begin() as connection:
        return [tuple(row) for row in await connection.execute(text(sql), values)]


def a_finding(name: str = "checkout-1", **changes: Any) -> Finding:
    """A crash-looping pod."""
    kind, namespace = changes.pop("kind", "Pod"), changes.pop("namespace", "shop")
    values: dict[str, Any] = {
        "code": "pod-crash-loop",
        "object": ObjectRef(kind=kind, namespace=namespace, name=name),
        "severity": Severity.CRITICAL,
        "message": "container app crashes again and again",
        "since": NOON,
        "evidence": {"restarts": 7},
    }
    return Finding(**(values | changes))


def an_event(
    name: str = "checkout-1", change: Change = Change.OPENED, *, at: datetime = NOON, **changes: Any
) -> EventData:
    """What the engine tells of a crash-looping pod; other arguments are of the event or else of the finding."""
    of_event = {key: changes.pop(key) for key in list(changes) if key in EventData.model_fields}
    return EventData(change=change, finding=a_finding(name, **changes), detected_at=at, **of_event)


def told(name: str, *changes: Change) -> list[EventData]:
    return [an_event(name, change) for change in changes]


async def run_until_done(running: asyncio.Task[None]) -> None:
    """End a task that runs for ever, and hear of it when it failed before."""
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    if not running.cancelled() and (error := running.exception()) is not None:
        raise error
