"""A database with the schema of auto_healing."""

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

HEALING_MIGRATIONS = "auto_healing:migrations"


def healing_target(url: str) -> Target:
    return Target.of(url, schema="healing", service="auto-healing")


@contextmanager
def a_healing_url(postgres: Postgres) -> Iterator[str]:
    """A new database with all tables."""
    template = postgres.template(
        "healing_template", lambda url: upgrade_blocking(healing_target(url), HEALING_MIGRATIONS)
    )
    url = postgres.new_database(template)
    yield url
    postgres.drop_database(url)


@pytest.fixture
def healing_url(postgres: Postgres) -> Iterator[str]:
    """A database of the test's own with all tables."""
    with a_healing_url(postgres) as url:
        yield url


@pytest.fixture
async def healing_database(healing_url: str) -> AsyncIterator[Database]:
    opened = Database(healing_target(healing_url), DatabaseSettings())
    yield opened
    await opened.close()


async def claim_healing(database: Database) -> int:
    """Begin an epoch, as a new leader does."""
    async with database.begin() as connection:
        return int(await connection.scalar(text("UPDATE leader SET epoch = epoch + 1 RETURNING epoch")) or 0)


async def healing_rows(database: Database, sql: str, **values: object) -> list[tuple[Any, ...]]:
    """What a query finds; also for statements that return nothing."""
    async with database.begin() as connection:
        found = await connection.execute(text(sql), values)
        return [tuple(row) for row in found] if found.returns_rows else []
