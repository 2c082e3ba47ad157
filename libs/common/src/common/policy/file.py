"""Follows a policy file through its changes, and keeps the last good policy when a change is bad."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Self, TypeVar

from common.policy.mistakes import Mistake, PolicyError

LARGEST_BYTES = 1 << 20  # no ConfigMap is larger

P = TypeVar("P")


class PolicyFile(Generic[P]):
    """A policy that follows a file. `poll` looks whether it changed; a bad file changes nothing but `mistakes`.

    `parse` raises PolicyError; `default` holds until there is a good file.
    """

    def __init__(self, path: Path, *, parse: Callable[[str], P], default: P) -> None:
        self.path = path
        self.policy = default
        self.mistakes: tuple[Mistake, ...] = ()  # in the file as it is now; empty when `policy` is what it says
        self._parse = parse
        self._seen: tuple[int, ...] | None = None

    def opened(self) -> Self:
        """For a start: raises PolicyError when there is no good file yet."""
        self.poll()
        if self.mistakes:
            raise PolicyError(self.mistakes)
        return self

    def poll(self) -> bool:
        """Read the file when it is not the one seen before; whether `policy` is now another one.

        A ConfigMap swaps a symbolic link above the file, which shows as another inode.
        """
        try:
            status = os.stat(self.path)
            seen = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return False
            self.policy = self._parse(self._read())
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

    async def trouble(self) -> str | None:
        """Every mistake in the file as it is now, None when there is none. For a probe."""
        return "; ".join(map(str, self.mistakes)) or None

    def _read(self) -> str:
        with self.path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise PolicyError([Mistake("", f"{self.path} is larger than 1 MiB, which no policy needs to be")])
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise PolicyError([Mistake("", f"{self.path} is not UTF-8 (byte {error.start})")]) from None
