"""A clock that stands still until a test steps it."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class SteppedClock:
    """Both times move together under `step`; `jump` sets the calendar alone, as an administrator would."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def step(self, seconds: float | timedelta) -> datetime:
        """Let time pass; returns the new instant."""
        passed = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        self._now += passed
        self._monotonic += passed.total_seconds()
        return self._now

    def jump(self, by: timedelta) -> None:
        """Move the calendar without time passing."""
        self._now += by
