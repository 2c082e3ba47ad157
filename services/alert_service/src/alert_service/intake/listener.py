"""Listens for heartbeats: raises an alarm when one is missing, and ends it when it is heard again."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from alert_service.intake.heartbeat import Pulse, annotations_of, is_missing, labels_of
from alert_service.intake.own_alerts import OwnAlerts
from alert_service.policy import AlertPolicy
from alert_service.policy.trials import HeartbeatPart
from alert_service.storage.heartbeats import HeartbeatStore
from alert_service.storage.inbox import InboxFull
from common.clock import Clock
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0


class Listener:
    """`on_looked` is told which ones are missing, by name, after each look; of none once nobody listens here."""

    def __init__(
        self,
        store: HeartbeatStore,
        alarms: OwnAlerts,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
        on_looked: Callable[[dict[str, bool]], None],
    ) -> None:
        self._store = store
        self._alarms = alarms
        self._clock = clock
        self._policy = policy
        self._on_looked = on_looked
        self._since: datetime | None = None
        self._complaint = Complaint(logger, clock)

    async def run(self) -> None:
        """Until cancelled. What could not be stored meanwhile was not heard: after a failure it waits anew."""
        self._since = None
        try:
            while True:
                try:
                    await self.look()
                    self._complaint.over()
                except (DatabaseError, InboxFull) as error:
                    self._since = None
                    self._complaint.warn(f"heartbeats cannot be listened for: {error}")
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._on_looked({})

    async def look(self) -> None:
        """Once. Raises DatabaseError and InboxFull."""
        now = self._clock.now()
        self._since = self._since or now
        parts = {part.name: part for part in self._policy().heartbeats}
        until = await self._store.heard_until(now)  # before the pulses: what waits in a storm may be one
        pulses = await self._store.listen(parts.keys(), now)
        missing = {}
        for name, part in parts.items():
            silent = is_missing(part, pulses[name], listening_since=self._since, now=until)
            missing[name] = await self._judged(part, pulses[name], silent, now)
        for name in pulses.keys() - parts.keys():
            await self._end(name, pulses[name])  # nobody wants to hear it any more
        self._on_looked(missing)

    async def _judged(self, part: HeartbeatPart, pulse: Pulse, silent: bool, now: datetime) -> bool:
        """The alarm comes before what is remembered of it: one that is raised twice is the same."""
        if silent and pulse.missing_since is None:
            logger.warning("the heartbeat %s is missing since %s", part.name, pulse.heard_at)
            await self._alarms.raise_alarm(labels_of(part.name), annotations_of(part, pulse, now), since=now)
            await self._store.mark(part.name, now)
        elif pulse.missing_since is not None and pulse.heard_at > pulse.missing_since:
            await self._end(part.name, pulse)
            return False
        return silent or pulse.missing_since is not None

    async def _end(self, name: str, pulse: Pulse) -> None:
        await self._alarms.end_alarm(labels_of(name), since=pulse.missing_since)
        await self._store.mark(name, None)
