"""Works off what came in, in its order: each batch takes effect in one transaction, or not at all.

An entry that cannot be read is put aside with the reason; one bad entry holds up nobody.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import msgspec
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.alert import Post, Source
from alert_service.change import Changed
from alert_service.correlation import objects_of
from alert_service.health import post_of_event
from alert_service.incident import Incident
from alert_service.incidents import key_of, received
from alert_service.notices import NEEDS_PEOPLE, healing_of, joined, noticed, post_of
from alert_service.payload import PayloadInvalid, parse_post
from alert_service.policy import AlertPolicy
from alert_service.settle import Settled
from alert_service.settling import Due, Settling
from alert_service.storage import inbox as entries
from alert_service.storage import incidents
from alert_service.storage.inbox import Entry, Inbox
from common.clock import Clock
from common.contracts import HealthEvent, Notice, ObjectKey
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

_BATCH = 200
_POLL_SECONDS = 1.0  # for what other replicas have stored
_AGAIN_SECONDS = 1.0
_LONGEST_ERROR = 500


@dataclass(slots=True)
class Worked:
    """What one batch was."""

    unreadable: list[Source] = field(default_factory=list)
    duplicates: list[Source] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)


class Pipeline:
    """`on_worked` is told of each batch once it is committed."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        settling: Settling,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
        on_worked: Callable[[Worked], None],
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._settling = settling
        self._clock = clock
        self._policy = policy
        self._on_worked = on_worked
        self._complaint = Complaint(logger, clock)

    async def run(self) -> None:
        """Until cancelled. The database that goes away is waited for."""
        while True:
            self._inbox.arrived.clear()
            try:
                while await self.work():
                    self._complaint.over()
            except DatabaseError as error:
                self._complaint.warn(f"what came in waits for the database: {error}")
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._inbox.arrived.wait()
            except TimeoutError:
                pass

    async def work(self) -> int:
        """One batch; how many entries it had. Raises DatabaseError."""
        now = self._clock.now()
        async with self._database.begin() as connection:
            taken = await entries.take(connection, _BATCH)
            if not taken:
                return 0
            batch = _Batch(connection, self._policy(), now)
            await batch.take(taken)
            batch.worked.settled = await self._settling.store(connection, batch.dues(), now)
            bad = {each.id for each, _ in batch.bad}
            await entries.done(connection, [each.id for each in taken if each.id not in bad], now)
            for each, why in batch.bad:
                await entries.done(connection, [each.id], now, error=why)
        for each, why in batch.bad:
            logger.warning("entry %d of %s took no effect: %s", each.id, each.source, why)
        self._on_worked(batch.worked)
        return len(taken)


@dataclass(slots=True)
class _Open:
    """An incident in the course of a batch."""

    before: Incident | None
    done: Changed
    received_at: datetime


class _Batch:
    """Folds entries into the incidents that they concern."""

    def __init__(self, connection: AsyncConnection, policy: AlertPolicy, now: datetime) -> None:
        self._connection = connection
        self._policy = policy
        self._now = now
        self._open: dict[str, _Open] = {}  # by key
        self.worked = Worked()
        self.bad: list[tuple[Entry, str]] = []

    async def take(self, taken: Sequence[Entry]) -> None:
        """Every incident that the entries name is loaded at once, and each entry is folded in in its turn."""
        read = [(entry, said) for entry in taken if (said := self._read(entry)) is not None]
        posts = [_own(said) for _, said in read]
        keys = {key_of(post.source, post.group_key) for post in posts}
        for key, found in (await incidents.newest_of(self._connection, keys)).items():
            self._keep(key, found, self._now)
        for entry, said in read:
            if isinstance(said, Notice):
                await self._notice(said, entry)
            else:
                await self._post(said, entry)

    def dues(self) -> list[Due]:
        """What changed, or was heard of again."""
        return [
            Due(before=each.before, done=each.done, received_at=each.received_at)
            for each in self._open.values()
            if each.done.incident is not each.before
        ]

    def _read(self, entry: Entry) -> Post | Notice | None:
        try:
            if entry.source in (Source.ALERTMANAGER, Source.SELF):
                post = parse_post(entry.body, received_at=entry.received_at)
                return msgspec.structs.replace(post, source=entry.source)
            if entry.source is Source.HEALTH:
                return post_of_event(HealthEvent.model_validate_json(entry.body))
            return Notice.model_validate_json(entry.body)
        except (PayloadInvalid, ValidationError) as error:
            self.worked.unreadable.append(entry.source)
            self.bad.append((entry, " ".join(str(error).split())[:_LONGEST_ERROR]))
            return None

    async def _post(self, post: Post, entry: Entry) -> None:
        key = key_of(post.source, post.group_key)
        known = self._open.get(key)
        incident = None if known is None else known.done.incident
        done = received(incident, post, self._policy, now=self._now, new_id=uuid4())
        if done is None or not done.happenings:
            self.worked.duplicates.append(entry.source)
        if done is None:
            return
        if known is not None and done.incident.id == known.done.incident.id:
            known.done = known.done.then(done)
            known.received_at = min(known.received_at, entry.received_at)
            return
        self._open[key] = _Open(before=None, done=await self._with_healing(done), received_at=entry.received_at)

    async def _with_healing(self, done: Changed) -> Changed:
        """Healing may have begun before anybody told of the fault."""
        objects = [each.key for each in objects_of(done.incident)]
        told = await incidents.healing_of(self._connection, objects)
        newest = max(told.values(), key=lambda each: each.at, default=None)
        return done if newest is None else done.then(joined(done.incident, newest, now=self._now))

    async def _notice(self, notice: Notice, entry: Entry) -> None:
        """It joins every open incident about its objects; where a person is needed and there is none, it opens one."""
        objects = {each.key: each for each in (notice.subject, *notice.objects)}
        told = healing_of(notice, self._policy, now=self._now)
        await incidents.remember_healing(self._connection, list(objects), told)
        for found in await incidents.about(self._connection, list(objects)):
            self._keep(found.key, found, entry.received_at)
        own = _own(notice)
        own_key = key_of(own.source, own.group_key)
        concerned = [
            each for key, each in self._open.items() if key != own_key and _is_about(each.done.incident, objects)
        ]
        if own_key in self._open or (not concerned and notice.kind in NEEDS_PEOPLE):
            await self._post(own, entry)
            concerned += [each for key, each in self._open.items() if key == own_key]
        for each in concerned:
            each.done = each.done.then(noticed(each.done.incident, notice, self._policy, now=self._now))

    def _keep(self, key: str, incident: Incident, received_at: datetime) -> None:
        """What is in the batch already has changed since it was loaded."""
        if key not in self._open:
            self._open[key] = _Open(before=incident, done=Changed(incident=incident), received_at=received_at)


def _own(said: Post | Notice) -> Post:
    return post_of(said) if isinstance(said, Notice) else said


def _is_about(incident: Incident, objects: Collection[ObjectKey]) -> bool:
    return incident.open and any(each.key in objects for each in objects_of(incident))
