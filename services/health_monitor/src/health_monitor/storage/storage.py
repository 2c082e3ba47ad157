"""The database and all that rests on it. It is opened in the background: the service answers before it is there."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.clock import Clock
from common.contracts import EventData, HealthEvent
from common.database.connections import Database
from common.database.opening import Opening
from health_monitor.api.services import NO_DATABASE, Stored
from health_monitor.engine.outcome import ScoreChange
from health_monitor.metrics import SERVICE, Metrics
from health_monitor.settings import MonitorSettings
from health_monitor.storage.events import EventLog, Tail
from health_monitor.storage.history import ScoreHistory
from health_monitor.storage.models import SCHEMA
from health_monitor.storage.publish import Outbox
from health_monitor.storage.retention import Retention
from health_monitor.stream import Hub
from health_monitor.webhooks.deliver import AttemptResult, Deliverer
from health_monitor.webhooks.subscriptions import Subscriptions

logger = logging.getLogger(__name__)

MIGRATIONS = "health_monitor:migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What there is once the database is open. `leading` has connections of its own, for whoever leads and stores."""

    database: Database
    leading: Database
    outbox: Outbox
    tail: Tail
    deliverer: Deliverer
    retention: Retention
    stored: Stored


class Storage(Opening[Opened]):
    """Takes what is told at any time; stores it once there is a database and this replica leads."""

    def __init__(self, settings: MonitorSettings, clock: Clock, hub: Hub, metrics: Metrics, *, source: str) -> None:
        super().__init__(settings.database, clock, schema=SCHEMA, service=SERVICE, scripts=MIGRATIONS)
        if not settings.database.enabled:
            self.reason = NO_DATABASE
        self.on_deposed: Callable[[int], None] = _ignore  # told the epoch that is over; set by whoever leads
        self._settings = settings.events
        self._clock = clock
        self._hub = hub
        self._metrics = metrics
        self._told_by = source

    @property
    def stored(self) -> Stored | None:
        return None if self.opened is None else self.opened.stored

    def put(self, events: Sequence[EventData], scores: Sequence[ScoreChange]) -> None:
        """Take what was told. Never waits."""
        self._hub.publish_scores(scores)
        if self.opened is not None:
            self.opened.outbox.put(events, scores)

    async def flush(self, seconds: float) -> None:
        if self.opened is not None and not await self.opened.outbox.flush(seconds):
            logger.warning("%d events were not stored before the end", self.opened.outbox.depth)

    async def _made(self, database: Database, leading: Database) -> Opened:
        settings, clock = self._settings, self._clock
        log = EventLog(database)
        tail = Tail(log, self._hub.publish_events)
        deliverer = Deliverer(
            database,
            clock,
            source=self._told_by,
            allow_private=settings.private_webhooks,
            on_attempt=self._attempted,
        )
        subscriptions = Subscriptions(
            database, clock, allow_private=settings.private_webhooks, wake=lambda one: deliverer.wake([one])
        )
        outbox = Outbox(
            leading,
            clock,
            source=self._told_by,
            capacity=settings.buffer,
            on_stored=lambda events: self._was_stored(events, tail),
            on_queued=deliverer.wake,
            on_deposed=self._deposed,
        )
        return Opened(
            database=database,
            leading=leading,
            outbox=outbox,
            tail=tail,
            deliverer=deliverer,
            retention=Retention(database, clock, event_days=settings.keep_days),
            stored=Stored(events=log, history=ScoreHistory(database), subscriptions=subscriptions, deliverer=deliverer),
        )

    def _was_stored(self, events: Sequence[HealthEvent], tail: Tail) -> None:
        tail.stored(events)
        now = self._clock.now()
        for event in events:
            self._metrics.events.labels(event.data.change, event.data.finding.severity).inc()
            self._metrics.detection.observe(max(0.0, (now - event.data.detected_at).total_seconds()))

    def _deposed(self, epoch: int) -> None:
        self.on_deposed(epoch)

    def _attempted(self, attempt: AttemptResult) -> None:
        self._metrics.deliveries.labels(attempt.verdict).observe(attempt.seconds)


def _ignore(epoch: int) -> None:
    """Nobody leads, so nobody can be deposed."""
