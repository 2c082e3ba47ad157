"""Does what time alone brings: reminders, expiries, escalation, and the end of storms."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from alert_service.incidents.change import Changed
from alert_service.incidents.incident import Incident
from alert_service.incidents.set_back import SKEW, set_back
from alert_service.incidents.settle import Settled
from alert_service.incidents.settling import Settling
from alert_service.incidents.timers import tick
from alert_service.policy import AlertPolicy
from alert_service.routing.family import Due
from alert_service.storage import incidents
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

_BATCH = 100
_LOOK_SECONDS = 0.5
_LOOK_BACK_SECONDS = 30.0


class Clockwork:
    """`on_settled` is told of what became of each incident, once that is committed."""

    def __init__(
        self,
        database: Database,
        settling: Settling,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
        on_settled: Callable[[list[Settled]], None],
    ) -> None:
        self._database = database
        self._settling = settling
        self._clock = clock
        self._policy = policy
        self._on_settled = on_settled
        self._complaint = Complaint(logger, clock)
        self._looked_by: AlertPolicy | None = None
        self._looked_back_at = float("-inf")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                while await self.work():
                    pass
                if self._clock.monotonic() - self._looked_back_at >= _LOOK_BACK_SECONDS:
                    while await self.look_back():
                        pass
                    self._looked_back_at = self._clock.monotonic()
                self._complaint.over()
            except DatabaseError as error:
                self._complaint.warn(f"what is due waits for the database: {error}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def work(self) -> int:
        """Everything that is due of at most a hundred incidents; how many. Raises DatabaseError."""
        now, policy = self._clock.now(), self._policy()
        async with self._database.begin() as connection:
            if policy is not self._looked_by:  # a window may be gone, and a channel or an escalation
                await incidents.look_again(connection, now)
            await self._settling.calm(connection, now)
            due = await incidents.due(connection, now, _BATCH)
            settled = await self._settling.store(connection, [_ticked(each, policy, now) for each in due], now)
        self._looked_by = policy
        if settled:
            self._on_settled(settled)
        return len(due)

    async def look_back(self) -> int:
        """At a hundred incidents that changed before the clock was set back; how many. Raises DatabaseError."""
        now = self._clock.now()
        async with self._database.begin() as connection:
            found = await incidents.ahead(connection, now + SKEW, _BATCH)
            dues = [Due(before=each, done=Changed(incident=set_back(each, now))) for each in found]
            settled = await self._settling.store(connection, dues, now)
        if settled:
            logger.warning("the clock was set back: %d incidents wait anew from now on", len(found))
            self._on_settled(settled)
        return len(found)


def _ticked(incident: Incident, policy: AlertPolicy, now: datetime) -> Due:
    return Due(before=incident, done=tick(incident, policy, now=now))
