"""Real PostgreSQL for tests: one embedded server per run, shared by all workers, and a fresh database per test."""

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from filelock import FileLock
from sqlalchemy.engine import make_url

from common.database import embedded
from common.database.embedded import EmbeddedPostgres

_FOLDER = "K8S_HEALTH_CHECKER_TEST_FOLDER"
# Tests need no database after a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
# Without synchronous_commit a restart would forget the newest transactions.
DURABLE = {"fsync": "off", "full_page_writes": "off"}


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the run makes the folder; xdist's workers inherit its name."""
    if not hasattr(config, "workerinput"):
        os.environ[_FOLDER] = str(folder_for_postgres())


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and (folder := os.environ.pop(_FOLDER, None)):
        remove(Path(folder))


def folder_for_postgres() -> Path:
    """A short path that an unprivileged account can reach, as the server is not run by root."""
    folder = Path(tempfile.mkdtemp(prefix="khc-"))
    folder.chmod(0o711)
    return folder


def remove(folder: Path) -> None:
    """Remove the folder of a server that may still be about to end."""
    deadline = time.monotonic() + 30
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.01 if folder.exists() else 0)


class Postgres:
    """The run's server, and databases on it."""

    def __init__(self, server: EmbeddedPostgres, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def new_database(self, template: str = "template0") -> str:
        """Create a database; returns its URL."""
        name = f"test_{uuid.uuid4().hex}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def rename(self, url: str, name: str) -> None:
        """Nobody may be connected to it."""
        self._execute(f'ALTER DATABASE "{make_url(url).database}" RENAME TO "{name}"')

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """The name of a database that `prepare(url)` has filled, once in a run, to make copies of."""
        with FileLock(self._folder / f"{name}.lock"):
            if not self._execute("SELECT 1 FROM pg_database WHERE datname = %s", name):
                fresh = self.new_database()
                prepare(fresh)
                self.rename(fresh, name)
        return name

    def url_of(self, database: str) -> str:
        return make_url(self._server.url).set(database=database).render_as_string(hide_password=False)

    def _execute(self, statement: str, *arguments: str) -> bool:
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), arguments or None)
            return bool(cursor.description and cursor.fetchone())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this run; the first worker that asks starts it, the last that ends stops it."""
    folder = Path(os.environ[_FOLDER])
    with embedded.start(folder / "postgres", FAST) as server:
        yield Postgres(server, folder)


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty database of the test's own."""
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def postgres_folder() -> Iterator[Path]:
    """The folder of a server of the test's own, which has an empty cluster already but does not run."""
    parent = folder_for_postgres()
    subprocess.run(["cp", "-a", initialised(Path(os.environ[_FOLDER])), parent / "postgres"], check=True)
    yield parent / "postgres"
    remove(parent)


@pytest.fixture
def private_postgres(postgres_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, to restart and to stop."""
    with embedded.start(postgres_folder, DURABLE) as server:
        yield server


def initialised(folder: Path) -> Path:
    """A stopped server's folder to copy: initdb takes a second, and copying a tenth of it."""
    sample = folder / "initialised"
    with FileLock(folder / "initialised.lock"):
        if not sample.exists():
            with embedded.start(folder / "initialising", DURABLE):
                pass
            wait_until(lambda: not (folder / "initialising" / "data" / "postmaster.pid").exists())
            (folder / "initialising").rename(sample)
    return sample


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)
