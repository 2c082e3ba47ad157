"""Follows the policy file through its changes, and keeps the last good policy when a change is bad."""

import os
from pathlib import Path

from health_monitor.policy import DEFAULT_POLICY
from health_monitor.policy.parse import Mistake, PolicyError, parse_policy

LARGEST_BYTES = 1 << 20  # no ConfigMap is larger


class PolicyFile:
    """A policy that follows a file. `poll` looks whether it changed; a bad file changes nothing but `mistakes`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.policy = DEFAULT_POLICY
        self.mistakes: tuple[Mistake, ...] = ()  # in the file as it is now; empty when `policy` is what it says
        self._seen: tuple[int, ...] | None = None

    @classmethod
    def open(cls, path: Path) -> "PolicyFile":
        """For a start: raises PolicyError when there is no good file yet."""
        opened = cls(path)
        opened.poll()
        if opened.mistakes:
            raise PolicyError(opened.mistakes)
        return opened

    def poll(self) -> bool:
        """Read the file when it is not the one seen before; whether `policy` is now another one.

        A ConfigMap swaps a symbolic link above the file, which shows as another inode.
        """
        try:
            status = os.stat(self.path)
            seen = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return False
            self.policy = parse_policy(self._read())
        except OSError as error:
            self._seen = None
            self.mistakes = (Mistake("", f"cannot read {self.path}: {error.strerror or error}"),)
            return False
        except PolicyError as error:
            self._seen = seen
            self.mistakes = error.mistakes
            return False
        self._seen = seen
        self.mistakes = ()
        return True

    def _read(self) -> str:
        with self.path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise PolicyError([Mistake("", f"{self.path} is larger than 1 MiB, which no policy needs to be")])
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise PolicyError([Mistake("", f"{self.path} is not UTF-8 (byte {error.start})")]) from None
