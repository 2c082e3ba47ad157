"""A cluster's processes: finding them, ending them, and the guardian that ends them when their owner dies.

Every process of a cluster carries its home folder in the environment, so it is found even when no pid file was written.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HOME_VARIABLE = "DEVCLUSTER_HOME"
OWNER = "owner"
END_TIMEOUT_SECONDS = 20.0


def pids(home: Path) -> set[int]:
    """Processes of the cluster in ``home``, the caller excepted."""
    found = _marked(home) if Path("/proc/self").exists() else _recorded(home)
    return found - {os.getpid()}


def _marked(home: Path) -> set[int]:
    """Linux: what carries the home folder in its environment, zombies excepted."""
    marker = f"{HOME_VARIABLE}={home}".encode()
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marker in (process / "environ").read_bytes().split(b"\0"):  # a zombie's is empty
                found.add(int(process.name))
    return found


def _recorded(home: Path) -> set[int]:
    """Elsewhere: what kwokctl wrote down, unless the number has gone to another program since."""
    found = set()
    for file in home.glob("kwok/clusters/*/pids/*.pid"):
        asked = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", file.read_text()], capture_output=True, text=True, check=False
        )
        if str(home) in asked.stdout:
            found.add(int(file.read_text()))
    return found


def remove(home: Path) -> None:
    """Ends every process of a cluster and removes its files; nothing is left to save, so they are killed."""
    deadline = time.monotonic() + END_TIMEOUT_SECONDS
    while (running := pids(home)) and time.monotonic() < deadline:
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    shutil.rmtree(home, ignore_errors=True)


def guard(home: Path, owner: int) -> None:
    """Starts the guardian, which outlives the owner, even a killed one, and then removes the cluster.

    It ends by itself when the cluster is gone or has no owner, or another one, any more. It is no child of this
    process, so nobody has to collect it.
    """
    (home / OWNER).write_text(str(owner))
    command = [sys.executable, "-m", "devcluster.processes", str(owner), str(home)]
    quiet = subprocess.DEVNULL
    subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, check=True)


def detach(home: Path) -> None:
    """Lets the cluster outlive its owner."""
    (home / OWNER).unlink()


def slow_down(home: Path, pid: int, pid_file: Path) -> None:
    """Starts a process that stops another one four fifths of the time, until it is killed."""
    command = [sys.executable, "-m", "devcluster.processes", "--slow", str(pid), str(pid_file)]
    subprocess.run(command, env=os.environ | {HOME_VARIABLE: str(home)}, start_new_session=True, check=True)


def resume(pid: int) -> None:
    """Lets a stopped process go on."""
    os.kill(pid, signal.SIGCONT)


def _slow(pid: int, pid_file: Path) -> None:
    pid_file.write_text(str(os.getpid()))
    while alive(pid):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.4)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.1)


def _watch(owner: int, home: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        while (home / OWNER).read_text() == str(owner):
            if not alive(owner):
                remove(home)
            time.sleep(0.2)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # no /proc, or somebody else's process
        return True


if __name__ == "__main__" and os.fork() == 0:  # the parent ends at once, so that nobody has to collect the child
    if sys.argv[1] == "--slow":
        _slow(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        _watch(int(sys.argv[1]), Path(sys.argv[2]))
