"""Says how far a kind can be trusted: writes its Source, and tells when it was out of sight for long."""

from collections.abc import Callable
from datetime import datetime

from common.clock import Clock
from common.cluster.snapshot import Source, SourceState
from common.cluster.store import Store

OUTAGE_SECONDS = 10.0  # shorter gaps are made up for before anybody's patience ends
HEARD_EVERY_SECONDS = 1.0


class Sight:
    """`outage_ended(kind)` is called when the kind is seen again after more than ten seconds."""

    def __init__(self, kind: str, store: Store, clock: Clock, outage_ended: Callable[[str], None]) -> None:
        self._kind = kind
        self._store = store
        self._clock = clock
        self._outage_ended = outage_ended
        self._heard = clock.monotonic()
        self._heard_at: datetime | None = None
        self._blind_since: float | None = None

    @property
    def state(self) -> SourceState:
        return self._store.sources[self._kind].state

    def heard(self) -> None:
        """Something came that proves the stream alive."""
        now = self._clock.monotonic()
        if now - self._heard >= HEARD_EVERY_SECONDS or self._heard_at is None:
            self._heard, self._heard_at = now, self._clock.now()
            self._tell(self.state, self._store.sources[self._kind].reason)

    def synced(self) -> None:
        self._heard, self._heard_at = self._clock.monotonic(), self._clock.now()
        blind_since, self._blind_since = self._blind_since, None
        self._tell(SourceState.SYNCED)
        if blind_since is not None and self._heard - blind_since >= OUTAGE_SECONDS:
            self._outage_ended(self._kind)

    def broken(self, reason: str, *, silent: bool = False) -> None:
        """The stream is lost. After a silence nothing has been seen since it began."""
        if self.state in {SourceState.STARTING, SourceState.UNSEEN}:
            self._tell(SourceState.STARTING, reason)
            return
        if self._blind_since is None:
            self._blind_since = self._heard if silent else self._clock.monotonic()
        self._tell(SourceState.STALE, reason)

    def unseen(self, reason: str) -> None:
        """Forbidden, or not served. What was seen before is kept and grows old."""
        if self.state in {SourceState.SYNCED, SourceState.STALE}:
            self.broken(reason)
        else:
            self._tell(SourceState.UNSEEN, reason)

    def _tell(self, state: SourceState, reason: str = "") -> None:
        self._store.set_source(Source(kind=self._kind, state=state, reason=reason, heard_at=self._heard_at))
