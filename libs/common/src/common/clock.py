"""Time as a value: what needs the time is given a clock, so that tests can step it.

Pure functions take `now` instead; a clock belongs to the shell around them.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The two times there are: what the calendar says, and what a stopwatch says."""

    def now(self) -> datetime:
        """The instant, aware, in UTC. It may jump when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; it never goes back. For durations and deadlines."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
