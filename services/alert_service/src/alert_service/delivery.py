"""Carries messages to their channels: the only place that sends, and the only one that tries again.

Each channel has a sender of its own, so that one that is away holds up no other. It sends one message after the other,
at the vendor's pace, what people have to notice first. The leader alone does it; what is due stands in the database.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from alert_service.cards.card import Card
from alert_service.channels.channel import (
    Abilities,
    Buttons,
    Channel,
    DeliveryError,
    DeliveryReason,
    Message,
    Receipt,
)
from alert_service.channels.opened import Channels
from alert_service.limiter import Limiter
from alert_service.rendering import Rendered, Rendering
from alert_service.retries import Trouble, next_attempt_at
from alert_service.sending import Claim, Way, way_of
from alert_service.storage.deliveries import Deliveries
from common.clock import Clock
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5  # for what other replicas have queued
_LOOK_SOON_SECONDS = 0.03  # what was just announced is not committed yet
_SOON_SECONDS = 1.0
_MATCH_SECONDS = 2.0
_DATABASE_SECONDS = 1.0
_DEFECTS = 5
# Of a channel that cannot be made nothing is known.
_UNKNOWN = Abilities(updates=True, threads=True, buttons=Buttons.NONE, confirms=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to send, for metrics. `error` is None when the vendor took it."""

    channel: str
    posted: bool
    error: DeliveryError | None
    seconds: float | None  # from what led to it coming in to the vendor taking it


@dataclass(slots=True)
class _Line:
    """What a sender remembers of its channel."""

    pace: Limiter
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    rung_at: float = 0.0
    trouble: Trouble = field(default_factory=Trouble)


class Delivery:
    """`on_attempt` is told of each attempt. `on_broken` is called with a channel that only a person can mend."""

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
        self._rendering = rendering
        self._clock = clock
        self._on_attempt = on_attempt
        self._lines: dict[str, _Line] = {}
        self._updates: dict[str, Limiter] = {}  # by kind of channel
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._complaint = Complaint(logger, clock)

    def trouble(self, channel: str) -> DeliveryError | None:
        """What the last attempt on a channel failed with; None: it is well, as far as is known."""
        line = self._lines.get(channel)
        return None if line is None else line.trouble.error

    async def run(self) -> None:
        """Until cancelled; what is being sent then is sent to its end, and written down."""
        self._deliveries.on_queued = self._ring
        try:
            while True:
                with suppress(DatabaseError):  # the senders tell, and go on trying
                    self._match(set(self._channels.names) | await self._deliveries.channels_waiting())
                await asyncio.sleep(_MATCH_SECONDS)
        finally:
            self._deliveries.on_queued = lambda channels: None
            await _stopped(self._senders.values())
            self._senders.clear()

    def _ring(self, channels: Collection[str]) -> None:
        for name in channels:
            if (line := self._lines.get(name)) is not None:
                line.rung_at = self._clock.monotonic()
                line.bell.set()

    def _match(self, wanted: Collection[str]) -> None:
        """One sender for each channel that is there, or was and has messages left."""
        for name in self._senders.keys() - wanted:
            self._senders.pop(name).cancel()
        for name in wanted:
            if (sender := self._senders.get(name)) is None or sender.done():
                self._senders[name] = asyncio.create_task(self._send_on(name), name=f"sender {name}")

    async def _send_on(self, name: str) -> None:
        line = self._line(name)
        while True:
            line.bell.clear()
            try:
                wait = await self.turn(name)
                self._complaint.over()
            except DatabaseError as error:
                self._complaint.warn(f"messages wait for the database: {error}")
                wait = _DATABASE_SECONDS
            if wait:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await line.bell.wait()

    async def turn(self, name: str) -> float:
        """Sends at most one message; after how many seconds to look again. Raises DatabaseError."""
        line, now = self._line(name), self._clock.monotonic()
        held = max(line.trouble.until - now, line.pace.wait_seconds(now))
        if held > 0:
            return min(held, _LOOK_SECONDS)
        channel = self._channels.get(name)
        abilities = _UNKNOWN if channel is None else channel.abilities
        free = channel is None or self._update_pace(channel).wait_seconds(now) == 0
        claim = await self._deliveries.claim(name, abilities, self._clock.now(), updates=free)
        if claim is None:
            return _LOOK_SOON_SECONDS if now - line.rung_at < _SOON_SECONDS else _LOOK_SECONDS
        await _to_the_end(self._work(claim, channel, line))
        return 0.0

    async def _work(self, claim: Claim, channel: Channel | None, line: _Line) -> None:
        if channel is None:
            await self._failed(claim, self._missing(claim.channel), line)
            return
        try:
            rendered = await self._rendering.of(claim, channel)
            way = way_of(claim, channel.abilities, goes_on=rendered.goes_on)
            if way is Way.NONE or rendered.card is None:
                await self._deliveries.drop(claim)
                return
            receipt = await self._send(channel, _message(claim, way, rendered.card), line)
        except DeliveryError as error:
            await self._failed(claim, error, line)
        except DatabaseError:
            raise
        except Exception as error:  # one message that cannot be made must not hold up all others
            logger.exception("message %s to %s cannot be made", claim.ids[0], claim.channel)
            detail = f"it cannot be made: {type(error).__name__}, see the log"
            again = claim.attempts < _DEFECTS
            await self._failed(claim, DeliveryError(DeliveryReason.REFUSED, detail, retryable=again), line)
        else:
            await self._succeeded(claim, way, rendered, receipt, line)

    def _missing(self, name: str) -> DeliveryError:
        """Settings can be mended; what the policy has dropped is given up."""
        named = name in self._channels.names
        reason = DeliveryReason.NO_CONVERSATION if named else DeliveryReason.REFUSED
        return DeliveryError(reason, self._channels.why_not(name), retryable=False)

    async def _send(self, channel: Channel, message: Message, line: _Line) -> Receipt:
        """What the vendor finds fault with is sent once more with next to nothing in it. Raises DeliveryError."""
        try:
            return await self._once(channel, message, line)
        except DeliveryError as error:
            if error.reason not in (DeliveryReason.REFUSED, DeliveryReason.TOO_LARGE):
                raise
            logger.warning("channel %s refused a message, which is sent as plain text: %s", channel.name, error)
            card = _plain(message.card, channel, error)
            return await self._once(channel, replace(message, card=card), line)

    async def _once(self, channel: Channel, message: Message, line: _Line) -> Receipt:
        now = self._clock.monotonic()
        (line.pace if message.update is None else self._update_pace(channel)).take(now)
        return await channel.send(message)

    async def _succeeded(self, claim: Claim, way: Way, rendered: Rendered, receipt: Receipt, line: _Line) -> None:
        now = self._clock.now()
        recovered, line.trouble = line.trouble.error is not None, Trouble()
        news = way is not Way.UPDATE and (claim.loud or way is Way.POST)
        told = f"told {claim.channel}: {claim.reason.replace('_', ' ')}" if news else ""
        await self._deliveries.sent(claim, receipt, revision=rendered.revision, told=told, at=now)
        if recovered:
            logger.info("channel %s takes messages again", claim.channel)
            await self._deliveries.hurry(claim.channel, now)
        seconds = (now - (claim.received_at or claim.queued_at)).total_seconds()
        self._on_attempt(Attempt(channel=claim.channel, posted=receipt.posted, error=None, seconds=max(0.0, seconds)))

    async def _failed(self, claim: Claim, error: DeliveryError, line: _Line) -> None:
        self._on_attempt(Attempt(channel=claim.channel, posted=False, error=error, seconds=None))
        now, luck = self._clock.now(), random.random()  # noqa: S311
        if error.reason is DeliveryReason.MESSAGE_GONE and claim.at is not None:
            await self._deliveries.forget_card(claim)
            await self._deliveries.put_back(claim, now)
            return
        if line.trouble.error is None or line.trouble.error.reason is not error.reason:
            logger.warning("channel %s failed: %s: %s", claim.channel, error.reason, error)
        line.trouble = line.trouble.after(error, self._clock.monotonic(), luck=luck)
        again_at = next_attempt_at(error, claim.attempts, claim.queued_at, now, luck=luck)
        await self._deliveries.failed(claim, error.reason, str(error), again_at=again_at, at=now)

    def _line(self, name: str) -> _Line:
        channel = self._channels.get(name)
        limits = () if channel is None else channel.abilities.limits
        line = self._lines.setdefault(name, _Line(pace=Limiter(limits)))
        if line.pace.windows != limits:
            line.pace = Limiter(limits)
        return line

    def _update_pace(self, channel: Channel) -> Limiter:
        return self._updates.setdefault(channel.kind, Limiter(channel.abilities.update_limits))


def _message(claim: Claim, way: Way, card: Card) -> Message:
    return Message(
        delivery_id=str(claim.ids[0]),
        card=card,
        update=claim.at if way is Way.UPDATE else None,
        thread=claim.at if way is Way.REPLY else None,
        broadcast=way is Way.REPLY and claim.loud,
    )


def _plain(card: Card, channel: Channel, error: DeliveryError) -> Card:
    """Its title, and why there is no more."""
    why = f"{channel.kind} did not take the whole message ({error.reason}); the API of alert_service has all of it"
    return Card(
        title=card.title[:100],
        tone=card.tone,
        fallback=card.fallback[:500],
        mentions=card.mentions,
        footer=channel.dialect.escape(why),
    )


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish the work even when cancelled: what was sent and is not written down would be sent again."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _stopped(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
