"""How a connection to PostgreSQL is made: URL, timeouts, names. Nothing is connected before it is used."""

import socket
from dataclasses import dataclass

from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from common.database.settings import DatabaseSettings
from common.database.url import parse_url

# A peer that vanished without a word is noticed after about 20 s (10 + 2 x 5) instead of the kernel's two hours.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 20_000}
# Longer than any transaction of ours thinks between two statements. A replica that is paused or cut off amid one holds
# its locks for so long, and whoever leads next waits for them.
_IDLE_IN_TRANSACTION_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Target:
    """One service's place in a database: `schema` is its own and the only one on the search path."""

    url: URL
    schema: str
    application_name: str

    @classmethod
    def of(cls, url: str, *, schema: str, service: str) -> "Target":
        """Raises DatabaseUrlInvalid for anything but a PostgreSQL URL."""
        return cls(parse_url(url), schema, f"{service}@{socket.gethostname()}"[:63])

    @property
    def conninfo(self) -> str:
        """The URL as libpq takes it. Holds the password: never log it."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def connect_args(self, settings: DatabaseSettings) -> dict[str, str | int]:
        """The libpq parameters of every connection, of the engine and of the work queue alike."""
        options = {
            "search_path": self.schema,
            "timezone": "UTC",
            "statement_timeout": settings.statement_timeout_seconds * 1000,
            "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_SECONDS * 1000,
        }
        return {
            "application_name": self.application_name,
            "connect_timeout": settings.connect_timeout_seconds,
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            **_KEEPALIVE,
        }


def create_engine(target: Target, settings: DatabaseSettings) -> AsyncEngine:
    """An engine whose pool tests a connection before it hands it out, so that a restart of PostgreSQL goes unseen."""
    engine = create_async_engine(
        target.url,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.connect_timeout_seconds,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=target.connect_args(settings),
    )
    event.listen(engine.sync_engine, "handle_error", _leave_a_standby)
    return engine


def _leave_a_standby(failed: ExceptionContext) -> None:
    """What became a standby answers as before and takes nothing: new connections may lead to the primary."""
    if isinstance(failed.original_exception, ReadOnlySqlTransaction):
        failed.is_disconnect = True
