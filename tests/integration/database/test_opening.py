"""A service waits for its database, and says why there is none yet."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url
from tests.support.postgres import Postgres
from tests.support.waiting import eventually

from common.clock import SystemClock
from common.database.connections import Database
from common.database.opening import Opening
from common.database.settings import DatabaseSettings

pytestmark = pytest.mark.database

SCRIPTS = str(Path(__file__).parent / "scripts")


class Notes(Opening[tuple[Database, Database]]):
    """What rests on the database is the database."""

    async def _made(self, database: Database, leading: Database) -> tuple[Database, Database]:
        return database, leading


def notes_at(url: str) -> Notes:
    settings = DatabaseSettings(url=SecretStr(url), connect_timeout_seconds=5)
    return Notes(settings, SystemClock(), schema="sample", service="sample", scripts=SCRIPTS)


@pytest.fixture
def coming(postgres: Postgres) -> Iterator[tuple[str, str]]:
    """The URL of a database that is not there yet, and that of one which may get its name."""
    now = postgres.new_database()
    later = postgres.url_of(f"{make_url(now).database}_later")
    yield later, now
    postgres.drop_database(later)
    postgres.drop_database(now)


async def test_it_is_opened_as_soon_as_it_is_there_and_says_why_it_is_not(
    postgres: Postgres, coming: tuple[str, str]
) -> None:
    later, now = coming
    notes = notes_at(later)
    opening = asyncio.create_task(notes.open())

    async def failed() -> bool:
        return "cannot be opened" in notes.reason

    await eventually(failed)
    assert "does not exist" in (await notes.trouble() or "")
    await asyncio.to_thread(postgres.rename, now, str(make_url(later).database))
    database, leading = await asyncio.wait_for(opening, 120)
    for each in (database, leading):
        async with each.begin() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM note")) == 0
    assert (notes.reason, await notes.trouble()) == ("", None)
    await notes.close()


async def test_readers_that_hold_all_their_connections_leave_the_leader_its_own(postgres_url: str) -> None:
    settings = DatabaseSettings(url=SecretStr(postgres_url), pool_size=1, connect_timeout_seconds=5)
    notes = Notes(settings, SystemClock(), schema="sample", service="sample", scripts=SCRIPTS)
    database, leading = await notes.open()
    async with database.begin(), leading.begin() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await notes.close()
