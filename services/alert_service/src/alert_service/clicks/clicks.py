"""Works off presses of Slack buttons: who it was, what they want, doing it, and telling them what came of it.

A press is stored and acknowledged before that. Whatever replica took it works it off; what a replica left behind that
died meanwhile is the leader's.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID
from weakref import WeakValueDictionary

from alert_service.channels.channel import MessageRef
from alert_service.clicks.people import People
from alert_service.clicks.performing import ELSEWHERE, Performing
from alert_service.clicks.slack_requests import Click
from alert_service.incidents.acts import ActKind, Answer, Person, Via
from alert_service.incidents.values import ButtonValue
from alert_service.policy import AlertPolicy
from alert_service.storage.clicks import ClickRows
from alert_service.storage.deliveries import Deliveries
from common.clock import Clock
from common.database.errors import DatabaseError, DatabaseUnavailable
from common.logs import Complaint

logger = logging.getLogger(__name__)

# Slack gives up after three seconds, and needs some of them for the way.
_STORE_SECONDS = 2.0
# Whoever works a press off has given up by then: Alertmanager and auto_healing are asked for ten seconds at most.
_WORK_SECONDS = 45.0
_LEFT_AFTER = timedelta(seconds=60)
# People have moved on, and the card may say something else: doing it now would surprise them.
_TOO_LATE_AFTER = timedelta(minutes=10)
_LOOK_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
_BATCH = 100
_AT_ONCE = 16

_NO_VALUE = "this button is not of this service, or of a version that it does not know: use the newest card"
_TOO_LATE = "this service could not work off your press in time, so nothing was done: press again if you still want to"
_OUR_ERROR = "an error of this service: its log says which, and the card whether anything was done"


class Answers(Protocol):
    """How whoever pressed a button is told."""

    async def tell(self, click: Click, text: str) -> None:
        """So that only they see it. Raises nothing: an answer is no reason to do anything again."""


class Clicks:
    """One for a process."""

    def __init__(
        self,
        rows: ClickRows,
        performing: Performing,
        deliveries: Deliveries,
        answers: Answers,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
    ) -> None:
        self._rows = rows
        self._performing = performing
        self._deliveries = deliveries
        self._answers = answers
        self._clock = clock
        self._policy = policy
        self._waiting: asyncio.Queue[tuple[Click, datetime]] = asyncio.Queue()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._given_up: set[asyncio.Task[bool]] = set()
        self._complaint = Complaint(logger, clock)

    async def take(self, click: Click) -> bool:
        """Stores it, and has it worked off afterwards. False for one that came before. Raises DatabaseError."""
        now = self._clock.now()
        if not await self._stored(click, now):
            return False
        self._waiting.put_nowait((click, now))
        return True

    async def _stored(self, click: Click, now: datetime) -> bool:
        """A database that is slow is as good as none. Its end is not waited for: it may take that back as slowly."""
        put = asyncio.create_task(self._rows.put(click, now))
        done, _ = await asyncio.wait({put}, timeout=_STORE_SECONDS)
        if done:
            return put.result()
        put.cancel()
        self._given_up.add(put)
        put.add_done_callback(self._forget)
        raise DatabaseUnavailable(f"the press could not be stored within {_STORE_SECONDS:g} s")

    def _forget(self, put: asyncio.Task[bool]) -> None:
        """Whatever became of it: who pressed was told that nothing did."""
        self._given_up.discard(put)
        if not put.cancelled():
            put.exception()

    async def run(self) -> None:
        """Until cancelled: what this replica took. Presses of one incident's buttons keep their order, but for those
        that wait for another system."""
        room = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                await room.acquire()
                click, at = await self._waiting.get()
                task = group.create_task(self._in_turn(click, at))
                task.add_done_callback(lambda _: room.release())

    async def run_left(self) -> None:
        """Until cancelled: what no replica settled, for the one that leads."""
        while True:
            try:
                for click, at in await self._rows.left(self._clock.now() - _LEFT_AFTER, _BATCH):
                    await self._in_turn(click, at)
                self._complaint.over()
            except DatabaseError as error:
                self._complaint.warn(f"presses of buttons that were left wait for the database: {error}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _in_turn(self, click: Click, at: datetime) -> None:
        """What fails for so long is left for later."""
        lock = self._turns.setdefault(_turn_of(click), asyncio.Lock())
        try:
            async with asyncio.timeout(_WORK_SECONDS), lock:
                while not await self._work(click, at):  # noqa: ASYNC110 - the database tells nobody that it is back
                    await asyncio.sleep(_AGAIN_SECONDS)
        except TimeoutError:
            logger.warning("the press %s by %s is not worked off yet", click.action, click.user_id)

    async def _work(self, click: Click, at: datetime) -> bool:
        """False while the database does not answer."""
        try:
            person, incident_id, answer = await self._done_or_failed(click, at)
            await self._rows.done(
                click, at=self._clock.now(), incident_id=incident_id, person=person.name, answer=answer.text
            )
        except DatabaseError as error:
            self._complaint.warn(f"presses of buttons wait for the database: {error}")
            return False
        self._complaint.over()
        await self._seen(click)
        if answer.text:
            await self._answers.tell(click, answer.text)
        return True

    async def _done_or_failed(self, click: Click, at: datetime) -> tuple[Person, UUID | None, Answer]:
        """One press that hits an error of ours must not hold up all others, nor come again and again."""
        try:
            return await self._done(click, at)
        except DatabaseError:
            raise
        except Exception:
            logger.exception("the press of %s by %s hit an error of this service", click.action, click.user_id)
            person = People.of(self._policy()).guest("slack", click.user_id, click.user_name)
            return person, None, Answer(changed=False, text=_OUR_ERROR)

    async def _done(self, click: Click, at: datetime) -> tuple[Person, UUID | None, Answer]:
        people = People.of(self._policy())
        known = people.by_slack(click.user_id)
        person = known or people.guest("slack", click.user_id, click.user_name)
        kind, value = click.act, ButtonValue.parse(click.value)
        if kind is ActKind.RUNBOOK:  # it has opened its page already; Slack tells of that, too
            return person, None, Answer(changed=False, text="")
        if kind is None or value is None:
            return person, None, Answer(changed=False, text=_NO_VALUE)
        if self._clock.now() - at > _TOO_LATE_AFTER:
            return person, value.incident_id, Answer(changed=False, text=_TOO_LATE)
        answer = await self._performing.act(value.act(kind, by=person, via=Via.SLACK, at=at))
        if known is None and not answer.changed and kind not in person.rights:
            answer = Answer(changed=False, text=_who_are_you(click))
        return person, value.incident_id, answer

    async def _seen(self, click: Click) -> None:
        """The message was read, which is the best proof that it was delivered."""
        try:
            await self._deliveries.acted(
                MessageRef(conversation=click.conversation, id=click.message_id), self._clock.now()
            )
        except DatabaseError as error:
            self._complaint.warn(f"a press does not show on its message: {error}")


def _turn_of(click: Click) -> str:
    """Presses of one turn are worked off one after the other. Nobody who acknowledges waits for Alertmanager."""
    value, act = ButtonValue.parse(click.value), click.act
    if value is None:
        return click.id
    return f"{value.incident_id}:{act if act in ELSEWHERE else 'here'}"


def _who_are_you(click: Click) -> str:
    return (
        f"I do not know you: the policy has nobody with the Slack id {click.user_id}. "
        f"Ask for an entry under people with slack: {click.user_id}, and try again"
    )
