"""Transactions hold, errors say what to do, and a restart of PostgreSQL costs only what was running."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from tests.support.waiting import eventually

from common.database.connections import Database
from common.database.embedded import EmbeddedPostgres
from common.database.engine import Target
from common.database.errors import (
    ConstraintViolated,
    Contended,
    DatabaseError,
    DatabaseUnavailable,
    StatementTimeout,
    ValueRejected,
)
from common.database.settings import DatabaseSettings

pytestmark = pytest.mark.database


def database_on(url: str, **settings: int) -> Database:
    target = Target.of(url, schema="sample", service="sample")
    return Database(target, DatabaseSettings(**{"connect_timeout_seconds": 5, **settings}))


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = database_on(postgres_url)
    async with database.begin() as connection:
        await connection.execute(text("CREATE SCHEMA sample"))
        await connection.execute(text("CREATE TABLE note (id int CONSTRAINT pk_note PRIMARY KEY, body text)"))
    yield database
    await database.close()


async def run(database: Database, statement: str, **values: object) -> None:
    async with database.begin() as connection:
        await connection.execute(text(statement), values)


async def count(database: Database) -> int:
    async with database.begin() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM note")) or 0)


async def test_a_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    with suppress(ZeroDivisionError):
        async with database.begin() as connection:
            await connection.execute(text("INSERT INTO note VALUES (1, 'x')"))
            raise ZeroDivisionError

    assert await count(database) == 0


async def test_a_connection_says_whose_it_is_and_lives_in_its_schema_in_utc(database: Database) -> None:
    async with database.begin() as connection:
        row = (
            await connection.execute(
                text("SELECT current_setting('application_name'), current_schema(), current_setting('TimeZone')")
            )
        ).one()

    assert row[0].startswith("sample@")
    assert tuple(row)[1:] == ("sample", "UTC")


@pytest.mark.parametrize(
    ("statement", "values", "error"),
    [
        pytest.param("INSERT INTO note VALUES (1, 'y')", {}, ConstraintViolated, id="a row that exists already"),
        pytest.param("INSERT INTO note VALUES (2, :body)", {"body": "a\0b"}, ValueRejected, id="a NUL in text"),
        pytest.param(
            "INSERT INTO note VALUES (2, :body)", {"body": "\ud800"}, ValueRejected, id="half a surrogate pair"
        ),
        pytest.param("INSERT INTO note VALUES (:id, '')", {"id": 2**70}, ValueRejected, id="a number out of range"),
        pytest.param('SELECT \'{"a": "\\u0000"}\'::jsonb', {}, ValueRejected, id="a NUL in JSON"),
        pytest.param(
            "SELECT pg_terminate_backend(pg_backend_pid())", {}, DatabaseUnavailable, id="a connection that is cut"
        ),
        pytest.param(
            "DO $$ BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'No space left on device'; END $$",
            {},
            DatabaseUnavailable,
            id="a full disk",
        ),
        pytest.param("SELECT pg_sleep(60)", {}, StatementTimeout, id="a statement that takes too long"),
    ],
)
async def test_errors_say_what_kind_they_are(
    database: Database, postgres_url: str, statement: str, values: dict[str, object], error: type[DatabaseError]
) -> None:
    await run(database, "INSERT INTO note VALUES (1, 'x')")
    caller = database_on(postgres_url, statement_timeout_seconds=1 if error is StatementTimeout else 60)

    with pytest.raises(error) as caught:
        await run(caller, statement, **values)

    await caller.close()
    assert "a\0b" not in str(caught.value)
    assert getattr(caught.value, "constraint", "pk_note") == "pk_note"


async def test_a_deadlock_is_reported_as_something_to_repeat(database: Database) -> None:
    await run(database, "INSERT INTO note VALUES (1, 'x'), (2, 'y')")
    first_has_locked, second_has_locked = asyncio.Event(), asyncio.Event()

    async def lock(mine: int, theirs: int, done: asyncio.Event, other: asyncio.Event) -> None:
        async with database.begin() as connection:
            await connection.execute(text(f"UPDATE note SET body = '' WHERE id = {mine}"))
            done.set()
            await other.wait()
            await connection.execute(text(f"UPDATE note SET body = '' WHERE id = {theirs}"))

    outcomes = await asyncio.gather(
        lock(1, 2, first_has_locked, second_has_locked),
        lock(2, 1, second_has_locked, first_has_locked),
        return_exceptions=True,
    )

    assert sorted(type(outcome) for outcome in outcomes if outcome) == [Contended]


async def test_a_defect_of_the_caller_is_not_dressed_up(database: Database) -> None:
    with pytest.raises(ProgrammingError):
        await run(database, "SELECT * FROM nowhere")


async def test_no_free_connection_in_time_is_unavailable(postgres_url: str) -> None:
    narrow = database_on(postgres_url, pool_size=1, connect_timeout_seconds=1)

    async with narrow.begin():
        with pytest.raises(DatabaseUnavailable, match="no free database connection"):
            await run(narrow, "SELECT 1")
    await narrow.close()


_BECOMES_A_STANDBY = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"


async def test_a_connection_to_what_became_a_standby_is_given_up(database: Database, postgres_url: str) -> None:
    narrow = database_on(postgres_url, pool_size=1)
    await run(narrow, _BECOMES_A_STANDBY)

    with pytest.raises(DatabaseUnavailable, match="read-only"):
        await run(narrow, "INSERT INTO note VALUES (1, 'x')")
    await run(narrow, "INSERT INTO note VALUES (1, 'x')")
    await narrow.close()


async def test_what_takes_no_writes_is_not_ready(database: Database, postgres_url: str) -> None:
    narrow = database_on(postgres_url, pool_size=1)
    await run(narrow, _BECOMES_A_STANDBY)

    assert "read-only" in (await narrow.trouble() or "")
    assert await narrow.trouble() is None
    await narrow.close()


async def test_a_caller_who_gives_up_leaves_the_connection_to_others(database: Database, postgres_url: str) -> None:
    narrow = database_on(postgres_url, pool_size=1)
    caller = asyncio.create_task(run(narrow, "SELECT pg_sleep(60)"))

    async def sleeping() -> bool:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'")
        async with database.begin() as connection:
            return bool(await connection.scalar(query))

    await eventually(sleeping)
    caller.cancel()
    with suppress(asyncio.CancelledError):
        await caller

    await run(narrow, "SELECT 1")
    await narrow.close()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        pytest.param(
            lambda url: make_url(url).set(database="nowhere").render_as_string(hide_password=False),
            'database "nowhere" does not exist',
            id="a database that is not there",
        ),
        pytest.param(lambda _: "postgresql://u:hunter2@127.0.0.1:1/d", "Connection refused", id="nobody listens"),
    ],
)
async def test_what_cannot_be_reached_is_not_ready_and_tells_why_but_no_secret(
    postgres_url: str, wrong: Callable[[str], str], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = database_on(wrong(postgres_url))

    told = [await database.trouble() or "" for _ in range(2)]

    assert why in told[0]
    assert "hunter2" not in told[0] + caplog.text
    assert caplog.text.count("the database is not ready") == 1  # the same is not told again at once
    await database.close()


async def test_a_restart_of_postgresql_goes_unseen_by_whoever_comes_later(private_postgres: EmbeddedPostgres) -> None:
    database = database_on(private_postgres.url)
    await asyncio.gather(*(run(database, "SELECT pg_sleep(0.05)") for _ in range(5)))  # several pooled connections

    await asyncio.to_thread(private_postgres.restart)

    await asyncio.gather(*(run(database, "SELECT 1") for _ in range(5)))
    await database.close()


async def test_what_runs_during_a_restart_is_unavailable_and_rolled_back(private_postgres: EmbeddedPostgres) -> None:
    database = database_on(private_postgres.url)
    await run(database, "CREATE SCHEMA sample")
    await run(database, "CREATE TABLE note (id int)")
    inserted = asyncio.Event()

    async def slow() -> None:
        async with database.begin() as connection:
            await connection.execute(text("INSERT INTO note VALUES (1)"))
            inserted.set()
            await connection.execute(text("SELECT pg_sleep(60)"))

    running = asyncio.create_task(slow())
    await inserted.wait()
    await asyncio.to_thread(private_postgres.restart)

    with pytest.raises(DatabaseUnavailable):
        await running
    assert await count(database) == 0
    await database.close()


async def test_readiness_follows_the_server(private_postgres: EmbeddedPostgres) -> None:
    database = database_on(private_postgres.url)
    assert await database.trouble() is None

    private_postgres.close()

    async def troubled() -> bool:
        return await database.trouble() is not None

    await eventually(troubled)
    await database.close()


async def test_work_goes_on_while_an_administrator_cuts_connections(database: Database, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    async def answers() -> bool:
        return await database.trouble() is None

    await eventually(answers)
