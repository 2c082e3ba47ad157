"""Brings a service's schema, and the work queue's tables in it, to the version of the code.

Two replicas that start at once do not collide: an advisory lock lets one work while the other waits, and finds nothing
left to do. A service keeps its Alembic scripts in a package of its own whose `env.py` calls `run_environment`.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from alembic import autogenerate, command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, NullPool, create_engine, text

from common.database.engine import Target
from common.database.errors import translated
from common.database.queue_schema import upgrade_queue

VERSION_TABLE = "alembic_version"
# As long as the slowest migration of another replica may take.
_TURN_SECONDS = 600
# A migration that waits for a lock makes every later query on that table wait behind it.
_LOCK_SECONDS = 30
# Alembic hands its context to `env.py` through a module's global.
_ONE_AT_A_TIME = threading.Lock()


class MigrationFailed(Exception):
    """The schema could not be brought up to date; nothing of the failed step was kept."""


async def upgrade(target: Target, scripts: str) -> None:
    """Upgrade to the newest revision of `scripts`, an Alembic location such as "health_monitor:migrations".

    Raises DatabaseUnavailable or MigrationFailed.
    """
    await asyncio.to_thread(upgrade_blocking, target, scripts)


def upgrade_blocking(target: Target, scripts: str) -> None:
    """As `upgrade`, for callers without an event loop."""
    with _connected(target) as connection:
        _take_turn(connection, target.schema)
        _ensure_schema(connection, target.schema)
        upgrade_queue(connection)
        try:
            with _ONE_AT_A_TIME:
                command.upgrade(_config(connection, target, scripts), "head")
        except CommandError as error:
            raise MigrationFailed(
                f"schema {target.schema}: {error}. A database that a newer version has upgraded needs that version."
            ) from error


def differences(target: Target, metadata: MetaData) -> list[object]:
    """What Alembic would change to make the database equal to the models; empty when migrations are complete."""
    # What is on the search path is told without its schema, foreign keys for example.
    with _connected(replace(target, schema="pg_catalog")) as connection:
        migration = MigrationContext.configure(connection, opts=_options(metadata))
        return list(autogenerate.compare_metadata(migration, metadata))


def run_environment(metadata: MetaData) -> None:
    """What a service's `migrations/env.py` consists of: run the scripts on the connection that `upgrade` opened."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, **_options(metadata))
    with context.begin_transaction():
        context.run_migrations()


def _options(metadata: MetaData) -> dict[str, Any]:
    # The queue's tables and Alembic's own are not in the models, and other schemas are not ours.
    def ours(name: str | None, kind: str, _: object) -> bool:
        if kind == "schema":
            return name in {None, metadata.schema}
        return kind != "table" or not (name == VERSION_TABLE or (name or "").startswith("procrastinate_"))

    return {
        "target_metadata": metadata,
        "include_schemas": True,
        "include_name": ours,
        "version_table": VERSION_TABLE,
        "version_table_schema": metadata.schema,
    }


def _config(connection: Connection, target: Target, scripts: str) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", scripts)
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _connected(target: Target) -> Iterator[Connection]:
    arguments = {
        "application_name": f"{target.application_name} migrate"[:63],
        "connect_timeout": 10,
        "options": f"-c search_path={target.schema}",
    }
    engine = create_engine(target.url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    with translated(), engine.connect() as connection:
        yield connection


def _take_turn(connection: Connection, schema: str) -> None:
    """Wait for the lock, which ends with the connection."""
    connection.execute(text(f"SET lock_timeout = '{_TURN_SECONDS}s'"))
    connection.execute(
        text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": f"k8s-health-checker migrate {schema}"}
    )
    connection.execute(text(f"SET lock_timeout = '{_LOCK_SECONDS}s'"))
    connection.commit()


def _ensure_schema(connection: Connection, schema: str) -> None:
    # CREATE SCHEMA IF NOT EXISTS needs the right to create one even when there is nothing to create.
    if connection.scalar(text("SELECT to_regnamespace(quote_ident(:name))"), {"name": schema}) is None:
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    connection.commit()
