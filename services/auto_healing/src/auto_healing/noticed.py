"""What is said to have happened later than now, after the clock was set back, happened when that is noticed. Pure.

Else whatever waits for a while after it would wait until the clock is there again, which may take days.
"""

from collections.abc import Container, Hashable
from datetime import datetime


class Noticed:
    """Remembers when it was, so that what was noticed once grows older from then on."""

    def __init__(self) -> None:
        self._at: dict[Hashable, tuple[datetime, datetime]] = {}  # what was said, and what it is taken for

    def at(self, what: Hashable, said: datetime | None, now: datetime) -> datetime | None:
        """When `what` happened: as it is said, or if that is later than now, the first time that this was asked."""
        if said is None:
            return None
        before = self._at.get(what)
        if before is not None and before[0] == said and before[1] <= now:
            return before[1]
        if said <= now:
            return said
        self._at[what] = said, now
        return now

    def keep(self, known: Container[Hashable]) -> None:
        """Forget all others."""
        self._at = {what: at for what, at in self._at.items() if what in known}
