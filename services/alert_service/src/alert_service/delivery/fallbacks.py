"""Asks another channel to stand in when one has failed for good, or has not confirmed in time that it posted.

A copy says whose place it takes, and why. What people need not hear any more is not copied.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from alert_service.channels.channel import DeliveryError
from alert_service.delivery.retries import BROKEN
from alert_service.durations import shortly
from alert_service.policy.routing import ChannelPart
from alert_service.policy.settings import AlertPolicy
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.fallbacks import Unconfirmed, stand_in, unconfirmed
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


class Fallbacks:
    """`trouble` tells what a channel last failed with."""

    def __init__(
        self,
        database: Database,
        deliveries: Deliveries,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
        trouble: Callable[[str], DeliveryError | None],
    ) -> None:
        self._database = database
        self._deliveries = deliveries
        self._clock = clock
        self._policy = policy
        self._trouble = trouble
        self._complaint = Complaint(logger, clock)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.work()
                self._complaint.over()
            except DatabaseError as error:
                self._complaint.warn(f"channels that stand in wait for the database: {error}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def work(self) -> int:
        """For all channels that have one to stand in; how many messages were copied. Raises DatabaseError."""
        copied = 0
        for name, part in self._policy().channels.items():
            if part.fallback is not None:
                copied += await self._for(name, part, part.fallback)
        return copied

    async def _for(self, name: str, part: ChannelPart, fallback: str) -> int:
        """What a channel has given up goes to the other at once, and so does everything while only a person can mend
        it; all else once its time to be confirmed is over."""
        now, trouble = self._clock.now(), self._trouble(name)
        broken = trouble is not None and trouble.reason in BROKEN
        within = timedelta() if broken else part.confirm_within
        before = now - within if broken or part.confirm_within else None
        async with self._database.begin() as connection:
            late = await unconfirmed(connection, name, queued_before=before, now=now)
            copies = [(each, _why(each, trouble, part.confirm_within)) for each in late]
            wanted = await stand_in(connection, copies, fallback, at=now)
            await self._deliveries.queue(connection, wanted, received_at=None, now=now)
        if wanted:
            logger.warning("channel %s stands in for %s: %d messages", fallback, name, len(wanted))
        return len(wanted)


def _why(late: Unconfirmed, trouble: DeliveryError | None, within: timedelta) -> str:
    """For people, on the other channel."""
    if late.error or trouble is not None:
        return f"Meant for {late.channel}, which did not take it: {late.error or trouble}"
    if late.accepted:
        return f"Also sent to {late.channel}, where nobody was seen to act on it within {shortly(within)}"
    return f"Meant for {late.channel}, where it has waited to be sent for more than {shortly(within)}"
