"""Carries messages to their channels: nothing else sends, and nothing else tries again.

Each channel has a sender of its own, so that one that is away holds up no other. The leader alone delivers; what is due
stands in the database.
"""

import asyncio
import logging
from collections.abc import Callable, Collection

from alert_service.channels.channel import DeliveryError
from alert_service.channels.opened import Channels
from alert_service.delivery.paces import Paces
from alert_service.delivery.rendering import Rendering
from alert_service.delivery.retries import Trouble
from alert_service.delivery.sender import Attempt, Means, Sender
from alert_service.storage.deliveries import Deliveries
from common.clock import Clock
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5  # for what other replicas have queued, and what has become due


class Delivery:
    """`on_attempt` is told of each attempt to send."""

    def __init__(
        self,
        deliveries: Deliveries,
        channels: Channels,
        rendering: Rendering,
        clock: Clock,
        *,
        on_attempt: Callable[[Attempt], None] = lambda attempt: None,
    ) -> None:
        self._deliveries = deliveries
        self._channels = channels
        self._means = Means(
            deliveries=deliveries,
            channels=channels,
            rendering=rendering,
            clock=clock,
            on_attempt=on_attempt,
            paces=Paces(channels, clock),
        )
        self._clock = clock
        self._senders: dict[str, Sender] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._complaint = Complaint(logger, clock)

    def sender(self, channel: str) -> Sender:
        """Always the same one: it knows the vendor's pace."""
        if channel not in self._senders:
            self._senders[channel] = Sender(channel, self._means)
        return self._senders[channel]

    def trouble(self, channel: str) -> DeliveryError | None:
        """What the last attempt on a channel failed with; None: it is well, as far as is known."""
        return self.sender(channel).trouble.error

    async def run(self) -> None:
        """Until cancelled; what is being sent then is sent to its end, and written down."""
        self._deliveries.on_queued = self._ring
        knows = False
        try:
            while True:
                try:
                    if not knows:
                        await self.remember()
                        knows = True
                    await self._look()
                    self._complaint.over()
                except DatabaseError as error:
                    self._complaint.warn(f"messages wait for the database: {error}")
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._deliveries.on_queued = lambda channels: None
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            self._running.clear()

    async def remember(self) -> None:
        """What the leader before has used up of the vendors' limits. Raises DatabaseError."""
        paces, now, monotonic = self._means.paces, self._clock.now(), self._clock.monotonic()
        paces.remember(await self._deliveries.sent_since(now - paces.longest))
        for name, until in (await self._deliveries.told_to_wait(now)).items():
            self.sender(name).trouble = Trouble(until=monotonic + (until - now).total_seconds())

    async def _look(self) -> None:
        """One question for all channels: whoever has nothing to send asks nothing."""
        waiting = await self._deliveries.waiting(self._clock.now())
        self._match({*self._channels.names, *waiting})
        for name, due in waiting.items():
            if due:
                self.sender(name).look()

    def _ring(self, channels: Collection[str]) -> None:
        for name in channels:
            self.sender(name).ring()

    def _match(self, wanted: Collection[str]) -> None:
        """One for each channel that is there, or was and has messages left."""
        for name in self._running.keys() - wanted:
            self._running.pop(name).cancel()
        for name in wanted:
            if name not in self._running:
                self._running[name] = asyncio.create_task(self.sender(name).run(), name=f"sender {name}")
