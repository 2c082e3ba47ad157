"""The work queue's tables: Procrastinate's own SQL, applied once, and remembered in a table beside them.

Called under the migration lock, on a connection whose search path is the service's schema.
"""

from importlib import resources
from typing import cast

import psycopg
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text

_REMEMBERED = "procrastinate_applied"


def upgrade_queue(connection: Connection) -> None:
    """Create the tables, or apply the scripts that a newer Procrastinate has brought, each in its own transaction."""
    known = _scripts()
    if connection.scalar(text(f"SELECT to_regclass('{_REMEMBERED}')")) is None:
        connection.execute(text(f"CREATE TABLE {_REMEMBERED} (script text PRIMARY KEY)"))
        _run_script(connection, SchemaManager.get_schema())
        _remember(connection, known)
        return
    applied = set(connection.scalars(text(f"SELECT script FROM {_REMEMBERED}")))  # noqa: S608
    for script in known:
        if script not in applied:
            _run_script(connection, _read(script))
            _remember(connection, [script])


def _remember(connection: Connection, scripts: list[str]) -> None:
    connection.execute(
        text(f"INSERT INTO {_REMEMBERED} (script) VALUES (:script)"),  # noqa: S608
        [{"script": script} for script in scripts],
    )
    connection.commit()


def _run_script(connection: Connection, sql: str) -> None:
    # Past SQLAlchemy, which would take the colons and the percent signs in the script for parameters.
    driver = cast("psycopg.Connection", connection.connection.driver_connection)
    driver.execute(sql.encode())


def _scripts() -> list[str]:
    folder = resources.files("procrastinate.sql") / "migrations"
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))


def _read(script: str) -> str:
    return (resources.files("procrastinate.sql") / "migrations" / script).read_text(encoding="utf-8")
