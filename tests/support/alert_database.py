"""A database with the schema of alert_service."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.postgres import Postgres

from common.database.connections import Database
from common.database.engine import Target
from common.database.migrate import upgrade_blocking
from common.database.settings import DatabaseSettings

ALERT_MIGRATIONS = "alert_service:migrations"


def alert_target(url: str) -> Target:
    return Target.of(url, schema="alerts", service="alert-service")


@contextmanager
def an_alert_url(postgres: Postgres) -> Iterator[str]:
    """A new database with all tables."""
    template = postgres.template("alert_template", lambda url: upgrade_blocking(alert_target(url), ALERT_MIGRATIONS))
    url = postgres.new_database(template)
    yield url
    postgres.drop_database(url)


@pytest.fixture
def alert_url(postgres: Postgres) -> Iterator[str]:
    """A database of the test's own with all tables."""
    with an_alert_url(postgres) as url:
        yield url


@pytest.fixture
async def alert_database(alert_url: str) -> AsyncIterator[Database]:
    opened = Database(alert_target(alert_url), DatabaseSettings())
    yield opened
    await opened.close()


async def alert_rows(database: Database, sql: str, **values: object) -> list[tuple[Any, ...]]:
    """What a query finds; also for statements that return nothing."""
    async with database.begin() as connection:
        found = await connection.execute(text(sql), values)
        return [tuple(row) for row in found] if found.returns_rows else []
