"""Carries queued events to their subscribers. The leader alone does it; the deliveries in the database say what is due.

Each subscription has a pump of its own, so that a slow receiver holds up no other one. A pump starts deliveries in the
order of cursors, several at a time. What a crash leaves unrecorded is sent again: receivers drop repetitions by id.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from common.clock import Clock
from common.contracts import Change, EventData, Finding, HealthEvent, ObjectRef, Severity
from common.contracts.health import EVENT_TYPE_PREFIX
from common.contracts.objects import CLUSTER
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint
from health_monitor.webhooks.delivery_queue import (
    Due,
    Sent,
    Target,
    enabled_subscriptions,
    fetch,
    find_target,
    head_of,
    next_due_at,
    record,
)
from health_monitor.webhooks.post import Poster
from health_monitor.webhooks.verdict import Answer, AttemptVerdict, Endpoint, next_attempt_at

logger = logging.getLogger(__name__)

_WINDOW = 8
_AT_ONCE = 64
# Work made by another replica, such as a redelivery, is found by looking.
_LOOK_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """One attempt to deliver: for metrics, and for who asked for a test."""

    answer: Answer
    seconds: float

    @property
    def verdict(self) -> AttemptVerdict:
        return self.answer.verdict


@dataclass(slots=True)
class _Round:
    """One batch of one subscription while it is sent."""

    target: Target
    waiting: deque[Due]
    endpoint: Endpoint
    sent: list[Sent]

    def goes_on(self, now: datetime) -> bool:
        """Whether to send more: the receiver is neither away nor has it said goodbye."""
        gone = any(each.answer.verdict is AttemptVerdict.GONE for each in self.sent)
        return bool(self.waiting) and self.endpoint.open_at(now) and not gone


class Deliverer:
    """Pumps for all enabled subscriptions, while `run` runs."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        source: str,
        allow_private: bool = True,
        on_attempt: Callable[[AttemptResult], None] = lambda attempt: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._source = source
        self._allow_private = allow_private
        self._on_attempt = on_attempt
        self._pumps: dict[UUID, asyncio.Task[None]] = {}
        self._complaint = Complaint(logger, clock)
        self._bells: dict[UUID, asyncio.Event] = {}
        self._bell = asyncio.Event()

    def wake(self, subscriptions: Collection[UUID] | None) -> None:
        """Something was queued for these subscriptions; None: perhaps for any. Does nothing unless `run` runs."""
        for each in self._bells if subscriptions is None else subscriptions:
            if (bell := self._bells.get(each)) is not None:
                bell.set()
            else:
                self._bell.set()

    async def run(self) -> None:
        """Deliver until cancelled. Attempts under way are then broken off, and made again by the next leader."""
        async with Poster.opened(allow_private=self._allow_private) as poster:
            try:
                while True:
                    self._bell.clear()
                    with suppress(DatabaseError):  # the pumps tell, and go on trying
                        await self._match_pumps(poster)
                    await _rung(self._bell, _LOOK_AGAIN_SECONDS)
            finally:
                await _stopped(self._pumps.values())
                self._pumps.clear()
                self._bells.clear()

    async def _match_pumps(self, poster: Poster) -> None:
        """One pump for each enabled subscription."""
        async with self._database.begin() as connection:
            wanted = await enabled_subscriptions(connection)
        for gone in self._pumps.keys() - wanted:
            del self._bells[gone]
            await _stopped([self._pumps.pop(gone)])
        for new in wanted - self._pumps.keys():
            self._bells[new] = asyncio.Event()
            self._pumps[new] = asyncio.create_task(self._pump(new, poster, self._bells[new]))

    async def _pump(self, subscription_id: UUID, poster: Poster, bell: asyncio.Event) -> None:
        while True:
            bell.clear()
            try:
                due_at = await self.deliver_due(subscription_id, poster)
                self._complaint.over()
            except DatabaseError as error:
                self._complaint.warn(f"webhooks wait for the database: {error}")
                due_at = None
            except Exception:  # one subscription's trouble must not end its pump for good
                logger.exception("a webhook could not be sent")
                due_at = None
            wait = _LOOK_AGAIN_SECONDS
            if due_at is not None:
                wait = min(wait, max(0.0, (due_at - self._clock.now()).total_seconds()))
            await _rung(bell, wait)

    async def deliver_due(self, subscription_id: UUID, poster: Poster) -> datetime | None:
        """Send one batch of what is due now; returns when the next is due, None when nothing is queued."""
        now = self._clock.now()
        async with self._database.begin() as connection:
            target = await find_target(connection, subscription_id, now)
            if target is None or not target.enabled:
                return None
            if not target.endpoint.open_at(now):
                return target.endpoint.retry_at
            due = await fetch(connection, subscription_id, now, 1 if target.endpoint.tripped else _AT_ONCE)
            if not due:
                return await next_due_at(connection, subscription_id)
        await self._send(_Round(target, deque(due), target.endpoint, []), poster)
        return now

    async def send_test(self, subscription_id: UUID) -> AttemptResult | None:
        """Send a test event now, to a disabled subscription too; None when there is no such subscription."""
        now = self._clock.now()
        async with self._database.begin() as connection:
            target = await find_target(connection, subscription_id, now)
            head = await head_of(connection)
        if target is None:
            return None
        async with Poster.opened(allow_private=self._allow_private) as poster:
            started = self._clock.monotonic()
            answer = await poster.post(target.receiver, a_test_event(self._source, head, now), now)
        return AttemptResult(answer, self._clock.monotonic() - started)

    async def _send(self, batch: _Round, poster: Poster) -> None:
        workers = 1 if batch.target.endpoint.tripped else min(_WINDOW, len(batch.waiting))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(batch, poster))
        finally:
            await _to_the_end(self._record(batch))

    async def _record(self, batch: _Round) -> None:
        async with self._database.begin() as connection:
            await record(connection, batch.target, batch.sent, batch.endpoint, self._clock.now())

    async def _work(self, batch: _Round, poster: Poster) -> None:
        """Take deliveries from the batch, until it is empty or the receiver is found to be away."""
        while batch.goes_on(self._clock.now()):
            due = batch.waiting.popleft()
            started = self._clock.monotonic()
            answer = await poster.post(batch.target.receiver, due.event, self._clock.now())
            self._on_attempt(AttemptResult(answer, self._clock.monotonic() - started))
            self._note(batch, due, answer)

    def _note(self, batch: _Round, due: Due, answer: Answer) -> None:
        now, luck = self._clock.now(), random.random()  # noqa: S311
        batch.endpoint = batch.endpoint.after(answer, now, luck=luck)
        again = next_attempt_at(answer.verdict, due.attempts + 1, due.queued_at, now, luck=luck)
        batch.sent.append(Sent(due, answer, again))


def a_test_event(source: str, head: int, now: datetime) -> HealthEvent:
    """An event of a type of its own, which tells nothing about the cluster."""
    finding = Finding(
        code="test",
        object=ObjectRef(kind=CLUSTER, name=""),
        severity=Severity.INFO,
        message="This is a test of the subscription; nothing is wrong.",
        since=now,
    )
    return HealthEvent(
        id=str(uuid4()),
        source=source,
        type=f"{EVENT_TYPE_PREFIX}.test.v1",
        subject=CLUSTER,
        time=now,
        cursor=max(1, head),
        data=EventData(change=Change.OPENED, finding=finding, detected_at=now),
    )


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish the work even when cancelled: what was sent and is not recorded would be sent again."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _rung(bell: asyncio.Event, seconds: float) -> None:
    """Wait for the bell, but not longer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()


async def _stopped(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel the tasks, and wait until they have recorded what they did."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
