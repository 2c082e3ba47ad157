"""One channel while a rehearsal plays on it: sends at the vendor's pace, and writes down what became of it.

Each message is sent once; only what the vendor wants to wait for is waited for. What is tried is the channel, not the
delivery behind it, so nothing here queues or tries again.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from alert_service.cards.card import Card
from alert_service.channels.channel import Channel, DeliveryError, DeliveryReason, Message, MessageRef, Receipt
from alert_service.delivery.limiter import Limiter
from alert_service.rehearsal.report import Outcome, Step, Tried
from alert_service.rehearsal.way_back import Looked

# One more message would fail alike.
_HOPELESS = frozenset({DeliveryReason.CREDENTIALS, DeliveryReason.NO_CONVERSATION, DeliveryReason.UNREACHABLE})


class Stage:
    """`steps` are those that ended, in their order."""

    def __init__(self, channel: Channel, now: Callable[[], datetime]) -> None:
        self.channel = channel
        self.steps: list[Step] = []
        self._now = now
        self._posts = Limiter(channel.abilities.limits)
        self._updates = Limiter(channel.abilities.update_limits)
        self._begun = 0.0
        self._hopeless = False

    async def post(self, what: str, card: Card, tried: Tried = Tried.POST) -> MessageRef | None:
        """A new message; where it is, if the vendor says so."""
        return await self._send(tried, what, Message(delivery_id=str(uuid4()), card=card))

    async def update(self, what: str, card: Card, at: MessageRef) -> None:
        await self._send(Tried.UPDATE, what, Message(delivery_id=str(uuid4()), card=card, update=at))

    async def reply(self, what: str, card: Card, thread: MessageRef) -> None:
        await self._send(Tried.REPLY, what, Message(delivery_id=str(uuid4()), card=card, thread=thread))

    def looked(self, tried: Tried, what: str, at: datetime, looked: Looked) -> None:
        """What became of something that was looked at."""
        outcome = Outcome.FAILED if looked.error else Outcome.DONE
        self.note(tried, what, at, outcome, seconds=looked.seconds, detail=looked.error)

    def leave_out(self, tried: Tried, what: str, why: str) -> None:
        self.note(tried, what, self._now(), Outcome.LEFT_OUT, detail=why)

    def note(
        self,
        tried: Tried,
        what: str,
        at: datetime,
        outcome: Outcome,
        *,
        seconds: float = 0.0,
        detail: str = "",
        message_id: str = "",
    ) -> None:
        self.steps.append(
            Step(
                channel=self.channel.name,
                tried=tried,
                what=what,
                outcome=outcome,
                at=at,
                seconds=seconds,
                message_id=message_id,
                detail=detail,
            )
        )

    async def _send(self, tried: Tried, what: str, message: Message) -> MessageRef | None:
        if self._hopeless:
            return None
        at = self._now()
        try:
            receipt = await self._once_more_if_asked(message)
        except DeliveryError as error:
            why = f"{error.reason}: {error}"
            self.note(tried, what, at, Outcome.FAILED, seconds=time.monotonic() - self._begun, detail=why)
            if error.reason in _HOPELESS:
                self._hopeless = True
                self.leave_out(tried, "everything else", "it would fail in the same way")
            return None
        outcome, detail = Outcome.POSTED if receipt.posted else Outcome.ACCEPTED, ""
        if message.card.error:
            outcome, detail = Outcome.FAILED, f"sent as plain text, for its template failed: {message.card.error}"
        message_id = "" if receipt.ref is None else receipt.ref.id
        seconds = time.monotonic() - self._begun
        self.note(tried, what, at, outcome, seconds=seconds, detail=detail, message_id=message_id)
        return receipt.ref

    async def _once_more_if_asked(self, message: Message) -> Receipt:
        """Raises DeliveryError."""
        try:
            return await self._at_pace(message)
        except DeliveryError as error:
            if not error.retryable or error.retry_after is None:
                raise
            await asyncio.sleep(error.retry_after.total_seconds())
            return await self._at_pace(message)

    async def _at_pace(self, message: Message) -> Receipt:
        limiter = self._posts if message.update is None else self._updates
        await asyncio.sleep(limiter.wait_seconds(time.monotonic()))
        self._begun = time.monotonic()
        limiter.take(self._begun)
        return await self.channel.send(message)
