"""What the user sees while programs are fetched or built: one line per step on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType

QUIET_INTERVAL_SECONDS = 15.0


def say(text: str) -> None:
    print(f"devcluster: {text}", file=sys.stderr, flush=True)


def elapsed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """One running step: a single live line on a terminal, a line every 15 s elsewhere."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._live = sys.stderr.isatty()
        self._started = self._shown = time.monotonic()

    def __enter__(self) -> Progress:
        say(self._what)
        return self

    def update(self, state: str) -> None:
        now = time.monotonic()
        if now - self._shown < (0.2 if self._live else QUIET_INTERVAL_SECONDS):
            return
        self._shown = now
        line = f"{self._what}: {state}, {elapsed(now - self._started)}"
        if self._live:
            print(f"\r\033[Kdevcluster: {line}", end="", file=sys.stderr, flush=True)
        else:
            say(line)

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._live:
            print("\r\033[K", end="", file=sys.stderr)
        if kind is None:
            say(f"{self._what}: done in {elapsed(time.monotonic() - self._started)}")
