"""Folds what came in into the incidents that it concerns: several entries in one transaction."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incidents.alert import Post, Source
from alert_service.incidents.change import Changed
from alert_service.incidents.incident import Incident
from alert_service.incidents.notices import NEEDS_PEOPLE, healing_of, joined, noticed, post_of
from alert_service.incidents.posts import key_of, received
from alert_service.incidents.settle import Settled
from alert_service.intake.health import post_of_event
from alert_service.intake.heartbeat import Beats, Heartbeats
from alert_service.intake.payload import PayloadInvalid, parse_post
from alert_service.policy import AlertPolicy
from alert_service.routing.correlation import may_be_of, objects_of
from alert_service.routing.family import Due
from alert_service.storage import incidents
from alert_service.storage.inbox import Entry
from alert_service.turns import Turns
from common.contracts import HealthEvent, Notice, ObjectKey

LONGEST_ERROR = 500
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # behind no backslash that escapes its own
_HOW_IT_WENT = timedelta(hours=1)  # so long after its end an incident hears what became of its healing


@dataclass(slots=True)
class Worked:
    """What one batch was."""

    entries: int = 0
    unreadable: list[Source] = field(default_factory=list)
    duplicates: list[Source] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """An incident in the course of a batch."""

    before: Incident | None
    done: Changed
    received_at: datetime


class Batch:
    """For one transaction. `bad` are entries that say nothing, each with the reason; `beats` the heartbeats heard."""

    def __init__(
        self, connection: AsyncConnection, policy: AlertPolicy, now: datetime, *, heartbeats: Heartbeats
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._heartbeats = heartbeats
        self._now = now
        self._open: dict[str, _Open] = {}  # by key
        self.beats: Beats = {}
        self.worked = Worked()
        self.bad: list[tuple[Entry, str]] = []

    async def take(self, taken: Sequence[Entry]) -> None:
        """Every incident that the entries name is loaded at once, and each entry is folded in in its turn."""
        turns, read = Turns(), []
        for entry in taken:
            if (said := self._read(entry)) is not None:
                read.append((entry, said))
            await turns.over()
        posts = [_own(said) for _, said in read]
        keys = {key_of(post.source, post.group_key) for post in posts}
        for key, found in (await incidents.newest_of(self._connection, keys)).items():
            self._keep(key, found, self._now)
        for entry, said in read:
            if isinstance(said, Notice):
                await self._notice(said, entry)
            else:
                self._post(said, entry)
            await turns.over()
        await self._join_healing()

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
                return self._without_beats(msgspec.structs.replace(post, source=entry.source), entry)
            if entry.source is Source.HEALTH:
                return post_of_event(HealthEvent.model_validate_json(_without_nul(entry.body)))
            return Notice.model_validate_json(_without_nul(entry.body))
        except (PayloadInvalid, ValidationError) as error:
            self.worked.unreadable.append(entry.source)
            self.bad.append((entry, " ".join(str(error).split())[:LONGEST_ERROR]))
            return None

    def _without_beats(self, post: Post, entry: Entry) -> Post:
        """A heartbeat is heard, and is no incident."""
        beats, alerts = self._heartbeats.split(post, at=entry.received_at)
        for name, at in beats.items():
            self.beats[name] = max(at, self.beats.get(name, at))
        return msgspec.structs.replace(post, alerts=alerts)

    def _post(self, post: Post, entry: Entry) -> None:
        key = key_of(post.source, post.group_key)
        known = self._open.get(key)
        incident = None if known is None else known.done.incident
        done = received(incident, post, self._policy, now=self._now, new_id=uuid4())
        if done is None or not done.happenings:
            self.worked.duplicates.append(entry.source)
        if done is None:
            return
        if known is not None and done.incident.id == known.done.incident.id:
            if done.happenings and not known.done.happenings:  # what led to what is told, not a repeat before it
                known.received_at = entry.received_at
            known.done = known.done.then(done)
            return
        self._open[key] = _Open(before=None, done=done, received_at=entry.received_at)

    async def _join_healing(self) -> None:
        """Healing may have begun before anybody told of the fault."""
        opened = [each for each in self._open.values() if each.before is None and each.done.incident.healing is None]
        objects = {ref.key for each in opened for ref in objects_of(each.done.incident)}
        told = await incidents.healing_of(self._connection, objects)
        for each in opened:
            each.done = each.done.then(joined(each.done.incident, told, now=self._now))

    async def _notice(self, notice: Notice, entry: Entry) -> None:
        """It joins every open incident about its objects, and those that ended under its run, whose cards tell how it
        went; where a person is needed and there is none, it opens one, unless something newer was told already."""
        objects = {each.key: each for each in (notice.subject, *notice.objects)}
        told = healing_of(notice, self._policy, now=self._now)
        before = (await incidents.healing_of(self._connection, [notice.subject.key])).get(notice.subject.key)
        late = before is not None and before.at > notice.at
        await incidents.remember_healing(self._connection, list(objects), told)
        for found in await incidents.about(self._connection, list(objects)):
            self._keep(found.key, found, entry.received_at)
        if notice.run_id is not None:
            for found in await incidents.ended_under(self._connection, notice.run_id, self._now - _HOW_IT_WENT):
                self._keep(found.key, found, entry.received_at)
        own = _own(notice)
        own_key = key_of(own.source, own.group_key)
        concerned = [
            each
            for key, each in self._open.items()
            if key != own_key and _concerns(notice, each.done.incident, objects)
        ]
        if own_key in self._open or (not concerned and not late and notice.kind in NEEDS_PEOPLE):
            self._post(own, entry)
            concerned += [each for key, each in self._open.items() if key == own_key]
        for each in concerned:
            each.done = each.done.then(noticed(each.done.incident, notice, self._policy, now=self._now))

    def _keep(self, key: str, incident: Incident, received_at: datetime) -> None:
        """What is in the batch already has changed since it was loaded."""
        if key not in self._open:
            self._open[key] = _Open(before=incident, done=Changed(incident=incident), received_at=received_at)


def _without_nul(body: bytes) -> bytes:
    """JSON whose texts can be stored: PostgreSQL holds no NUL, and nobody reads one."""
    return _NUL.sub(rb"\1", body)


def _own(said: Post | Notice) -> Post:
    return post_of(said) if isinstance(said, Notice) else said


def _concerns(notice: Notice, incident: Incident, objects: Collection[ObjectKey]) -> bool:
    if not incident.open:
        return notice.run_id is not None and incident.healing is not None and incident.healing.run_id == notice.run_id
    return may_be_of(incident, notice.cluster) and any(each.key in objects for each in objects_of(incident))
