"""Sends what waits for one channel, one message after the other at the vendor's pace, and tries again what failed."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from alert_service.cards.card import Card
from alert_service.channels.channel import Abilities, Buttons, Channel, DeliveryError, DeliveryReason, Message, Receipt
from alert_service.channels.opened import Channels
from alert_service.channels.posting import TIMEOUT_SECONDS
from alert_service.delivery.paces import Paces
from alert_service.delivery.rendering import Rendered, Rendering
from alert_service.delivery.retries import BROKEN, Trouble, next_attempt_at
from alert_service.delivery.sending import Claim, Way, way_of
from alert_service.storage.claims import LOAN
from alert_service.storage.deliveries import Deliveries
from common.clock import Clock
from common.database.errors import Contended, DatabaseError, DatabaseUnavailable
from common.logs import Complaint

logger = logging.getLogger(__name__)

_IDLE_SECONDS = 10.0  # it is told to look
_HELD_SECONDS = 0.5
_LOOK_SOON_SECONDS = 0.03  # what was just announced is not committed yet
_SOON_SECONDS = 1.0
_DATABASE_SECONDS = 1.0
_WRITE_SECONDS = 15.0  # well within the loan of a claim
_DEFECTS = 5
# Of the loan of a claim, what two requests leave: a process that was paused for longer finds another leader at work.
_LENT_SECONDS = LOAN.total_seconds() - 2 * TIMEOUT_SECONDS
# Of a channel that cannot be made nothing is known.
_UNKNOWN = Abilities(updates=True, threads=True, buttons=Buttons.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to send, for metrics. `error` is None when the vendor took it."""

    channel: str
    posted: bool
    error: DeliveryError | None
    seconds: float | None  # from what led to it coming in to the vendor taking it


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all senders share."""

    deliveries: Deliveries
    channels: Channels
    rendering: Rendering
    clock: Clock
    on_attempt: Callable[[Attempt], None]
    paces: Paces


class Sender:
    """Of one channel. It remembers how the channel fares, and what was sent lately."""

    def __init__(self, name: str, means: Means) -> None:
        self.name = name
        self.trouble = Trouble()
        self._means = means
        self._deliveries = means.deliveries
        self._clock = means.clock
        self._lent_until = 0.0
        self._bell = asyncio.Event()
        self._rung_at = 0.0
        self._complaint = Complaint(logger, means.clock)

    def ring(self) -> None:
        """Something is about to be committed for it."""
        self._rung_at = self._clock.monotonic()
        self._bell.set()

    def look(self) -> None:
        """Something is due."""
        self._bell.set()

    async def run(self) -> None:
        """Until cancelled; what is being sent then is sent to its end, and written down."""
        while True:
            self._bell.clear()
            try:
                wait = await self.turn()
                self._complaint.over()
            except DatabaseError as error:
                self._complaint.warn(f"messages to {self.name} wait for the database: {error}")
                wait = _DATABASE_SECONDS
            except Exception:  # one channel's trouble must not end its sender for good
                logger.exception("the sender of %s crashed, and goes on", self.name)
                wait = _DATABASE_SECONDS
            if wait:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._bell.wait()

    async def turn(self) -> float:
        """Sends at most one message; after how many seconds to look again. Raises DatabaseError."""
        channel, now = self._means.channels.get(self.name), self._clock.monotonic()
        abilities = _UNKNOWN if channel is None else channel.abilities
        paces = self._means.paces
        held = max(self.trouble.until - now, 0.0 if channel is None else paces.posts(channel).wait_seconds(now))
        if held > 0:
            return min(held, _HELD_SECONDS)
        updates = channel is None or paces.updates(channel).wait_seconds(now) == 0
        self._lent_until = now + _LENT_SECONDS
        claim = await self._deliveries.claim(self.name, abilities, self._clock.now(), updates=updates)
        if claim is None:
            return _LOOK_SOON_SECONDS if now - self._rung_at < _SOON_SECONDS else _IDLE_SECONDS
        await _to_the_end(self._work(claim, channel))
        return 0.0

    async def _work(self, claim: Claim, channel: Channel | None) -> None:
        if channel is None:
            await self._failed(claim, self._missing())
            return
        way = Way.NONE
        try:
            rendered = await self._means.rendering.of(claim, channel)
            way = way_of(claim, channel.abilities, goes_on=rendered.goes_on)
            if way is Way.NONE or rendered.card is None:
                await self._deliveries.drop(claim)
                return
            if self._clock.monotonic() > self._lent_until:
                logger.warning("message %s to %s was held up: it is sent when it is due again", claim.ids[0], self.name)
                return
            receipt = await self._send(channel, _message(claim, way, rendered.card))
        except DeliveryError as error:
            await self._failed(claim, error, updating=channel if way is Way.UPDATE else None)
        except DatabaseError:
            raise
        except Exception as error:  # one message that cannot be made must not hold up all others
            logger.exception("message %s to %s cannot be made", claim.ids[0], self.name)
            detail = f"it cannot be made: {type(error).__name__}, see the log"
            again = claim.attempts < _DEFECTS
            await self._failed(claim, DeliveryError(DeliveryReason.REFUSED, detail, retryable=again))
        else:
            await self._succeeded(claim, way, rendered, receipt)

    def _missing(self) -> DeliveryError:
        """Settings can be mended; what the policy has dropped is given up."""
        channels = self._means.channels
        reason = DeliveryReason.NO_CONVERSATION if self.name in channels.names else DeliveryReason.REFUSED
        return DeliveryError(reason, channels.why_not(self.name), retryable=False)

    async def _send(self, channel: Channel, message: Message) -> Receipt:
        """What the vendor finds fault with is sent once more with next to nothing in it. Raises DeliveryError."""
        try:
            return await self._once(channel, message)
        except DeliveryError as error:
            if error.reason not in (DeliveryReason.REFUSED, DeliveryReason.TOO_LARGE):
                raise
            logger.warning("channel %s refused a message, which is sent as plain text: %s", self.name, error)
            return await self._once(channel, replace(message, card=_plain(message.card, channel, error)))

    async def _once(self, channel: Channel, message: Message) -> Receipt:
        paces = self._means.paces
        pace = paces.posts(channel) if message.update is None else paces.updates(channel)
        pace.take(self._clock.monotonic())
        return await channel.send(message)

    async def _succeeded(self, claim: Claim, way: Way, rendered: Rendered, receipt: Receipt) -> None:
        now = self._clock.now()
        recovered, self.trouble = self.trouble.error is not None, Trouble()
        news = way is not Way.UPDATE and (claim.loud or way is Way.POST)
        told = f"told {self.name}: {claim.reason.replace('_', ' ')}" if news else ""
        await self._written(
            lambda: self._deliveries.sent(claim, receipt, revision=rendered.revision, told=told, at=now)
        )
        if recovered:
            logger.info("channel %s takes messages again", self.name)
            await self._deliveries.hurry(self.name, now)
        seconds = (now - (claim.received_at or claim.queued_at)).total_seconds()
        self._tell(posted=receipt.posted, seconds=max(0.0, seconds))

    async def _written(self, write: Callable[[], Awaitable[None]]) -> None:
        """What was sent and is not written down would be sent again: a database that comes back soon is waited for."""
        deadline = self._clock.monotonic() + _WRITE_SECONDS
        while True:
            try:
                return await write()
            except (Contended, DatabaseUnavailable):
                if self._clock.monotonic() > deadline:
                    raise
                await asyncio.sleep(_DATABASE_SECONDS)

    async def _failed(self, claim: Claim, error: DeliveryError, *, updating: Channel | None = None) -> None:
        self._tell(error=error)
        now, luck = self._clock.now(), random.random()  # noqa: S311
        if error.reason is DeliveryReason.MESSAGE_GONE and claim.at is not None:
            await self._deliveries.forget_card(claim)
            await self._deliveries.put_back(claim, now)
            return
        if self.trouble.error is None or self.trouble.error.reason is not error.reason:
            logger.warning("channel %s failed: %s: %s", self.name, error.reason, error)
        if error.reason in BROKEN:
            self._means.channels.renew()
        again_at = next_attempt_at(error, claim.attempts, claim.queued_at, now, luck=luck)
        monotonic = self._clock.monotonic()
        if updating is not None and error.reason is DeliveryReason.RATE_LIMITED and again_at is not None:
            # Vendors count updates by themselves: what is new need not wait for them.
            self._means.paces.updates(updating).hold(monotonic + (again_at - now).total_seconds())
        else:
            self.trouble = self.trouble.after(error, monotonic, luck=luck)
        await self._deliveries.failed(claim, error.reason, str(error), again_at=again_at, at=now)

    def _tell(self, *, posted: bool = False, error: DeliveryError | None = None, seconds: float | None = None) -> None:
        self._means.on_attempt(Attempt(channel=self.name, posted=posted, error=error, seconds=seconds))


def _message(claim: Claim, way: Way, card: Card) -> Message:
    return Message(
        delivery_id=str(claim.ids[0]),
        card=card,
        update=claim.at if way is Way.UPDATE else None,
        thread=claim.at if way is Way.REPLY else None,
        broadcast=way is Way.REPLY and claim.loud,
        incident_id="" if claim.incident_id is None else str(claim.incident_id),
        reason=claim.reason,
    )


def _plain(card: Card, channel: Channel, error: DeliveryError) -> Card:
    """Its title, why there is no more, and the buttons, unless one of them may be what the vendor finds fault with."""
    why = f"{channel.kind} did not take the whole message ({error.reason}); the API of alert_service has all of it"
    return Card(
        title=card.title[:100],
        tone=card.tone,
        fallback=card.fallback[:500],
        mentions=card.mentions,
        footer=channel.dialect.escape(why),
        buttons=card.buttons if error.reason is DeliveryReason.TOO_LARGE else (),
    )


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish the work even when cancelled: what was sent and is not written down would be sent again."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
