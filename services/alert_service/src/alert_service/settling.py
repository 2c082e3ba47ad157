"""Stores what changed: each incident settled among its neighbours, with its timeline and the messages it leads to.

The one way in which incidents are written, for whatever came in, whatever is due and whatever a person does.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.change import Changed
from alert_service.incident import HappeningKind, Incident
from alert_service.policy import AlertPolicy
from alert_service.routing import Routes
from alert_service.settle import Settled, Surroundings, settle
from alert_service.storage import incidents, storms
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.incident_rows import tie_keys
from alert_service.storage.incidents import Saved
from alert_service.storm import Openings, worth_a_card
from alert_service.wanted import DeliveryKind, NotifyReason, Wanted
from alert_service.weather import Weather

# What decides whether the children of an incident are told with it.
_TURNS = frozenset(
    {
        HappeningKind.RESOLVED,
        HappeningKind.REOPENED,
        HappeningKind.SUPPRESSED,
        HappeningKind.UNSUPPRESSED,
        HappeningKind.SEVERITY_LOWERED,
        HappeningKind.SEVERITY_RAISED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A change to be stored. `before` is the incident as it was loaded, None for a new one."""

    before: Incident | None
    done: Changed
    received_at: datetime | None = None  # when what led to it came in: delivery is timed from then


class Settling:
    """Made once for a process: it remembers how many incidents opened lately."""

    def __init__(self, deliveries: Deliveries, policy: Callable[[], AlertPolicy]) -> None:
        self._deliveries = deliveries
        self._policy = policy
        self._openings = Openings()
        self._routes: tuple[AlertPolicy, Routes] | None = None

    @property
    def routes(self) -> Routes:
        """Of the policy that holds, compiled once."""
        policy = self._policy()
        if self._routes is None or self._routes[0] is not policy:
            self._routes = (policy, Routes(policy))
        return self._routes[1]

    async def store(self, connection: AsyncConnection, changes: Sequence[Due], now: datetime) -> list[Settled]:
        """In the caller's transaction, which holds the rows of all that are changed."""
        policy = self._policy()
        weather = Weather(await storms.raging(connection), self._openings, policy.storm, now)
        around = Surroundings(policy=policy, routes=self.routes, storming=weather.hides)
        family = await _Family.of(connection, changes, now - policy.correlation.within)
        done: list[tuple[Due, Settled]] = []
        for each in family.parents_first:
            seen = replace(around, near=family.near(each), parent=family.parent(each.done.incident))
            done.append((each, settle(each.before, each.done, seen, now=now)))
            family.settled(done[-1][1].incident)
        for relative, changed_parent in await family.relatives([settled for _, settled in done]):
            near = () if relative.parent_id else (changed_parent,)
            seen = replace(around, near=near, parent=changed_parent)
            due = Due(before=relative, done=Changed(incident=relative))
            done.append((due, settle(relative, due.done, seen, now=now)))
        await incidents.save(connection, [Saved(before=due.before, settled=settled) for due, settled in done])
        for due, settled in done:
            await self._deliveries.queue(connection, settled.wanted, received_at=due.received_at, now=now)
        await storms.keep(connection, weather.storms)
        await self._deliveries.queue(connection, weather.wanted(), received_at=None, now=now)
        return [settled for _, settled in done]

    async def calm(self, connection: AsyncConnection, now: datetime) -> int:
        """End the storms that are over; the worst of what they leave open gets cards. How many ended."""
        part = self._policy().storm
        weather = Weather(await storms.raging(connection), self._openings, part, now)
        ended = weather.calm()
        for storm in ended:
            left = await incidents.opened_since(connection, storm.started_at)
            messages = [*weather.wanted(), *(_card(storm.channel, each) for each in worth_a_card(left, part))]
            await self._deliveries.queue(connection, messages, received_at=None, now=now)
        await storms.keep(connection, ended)
        return len(ended)


class _Family:
    """Finds those that belong together, in the database and among what is being stored."""

    def __init__(self, connection: AsyncConnection, changes: Sequence[Due], parents: Mapping[UUID, Incident]) -> None:
        self._connection = connection
        self._known = dict(parents)  # parents, and everything that is settled already
        self._changing = {each.done.incident.id for each in changes}
        self._new = {each.done.incident.id: tie_keys(each.done.incident) for each in changes if each.before is None}
        self._by_key: dict[str, list[Incident]] = defaultdict(list)  # of what opens, and what is open near it
        self._around: list[Incident] = []
        self.parents_first = sorted(changes, key=lambda each: each.done.incident.parent_id is not None)

    @classmethod
    async def of(cls, connection: AsyncConnection, changes: Sequence[Due], since: datetime) -> "_Family":
        """Only what opens looks around, among what opened `since`."""
        ids = {each.done.incident.parent_id for each in changes if each.done.incident.parent_id is not None}
        found = cls(connection, changes, await incidents.by_ids(connection, ids, lock=False) if ids else {})
        keys = {key for keys in found._new.values() for key in keys}
        found._around = await incidents.near(connection, keys, since)
        for incident in (*found._around, *(each.done.incident for each in changes if each.before is None)):
            for key in found._new.get(incident.id) or tie_keys(incident):
                found._by_key[key].append(incident)
        return found

    def parent(self, incident: Incident) -> Incident | None:
        """As it is after what is being stored."""
        return None if incident.parent_id is None else self._known.get(incident.parent_id)

    def settled(self, incident: Incident) -> None:
        self._known[incident.id] = incident

    def near(self, each: Due) -> Sequence[Incident]:
        """Those that have something in common with what opens."""
        opened = each.done.incident
        found = {other.id: other for key in self._new.get(opened.id, ()) for other in self._by_key[key]}
        found.pop(opened.id, None)
        return [self._known.get(id_, other) for id_, other in found.items()]

    async def relatives(self, settled: Sequence[Settled]) -> list[tuple[Incident, Incident]]:
        """Others whom this concerns, each with whom it is about: what a newcomer may explain, and the children of those
        that were told differently before."""
        adopted = [
            (other, each.incident)
            for each in settled
            if each.incident.id in self._new and each.incident.parent_id is None
            for other in self._around
            if other.parent_id is None and tie_keys(other) & self._new[each.incident.id]
        ]
        turned = {each.incident.id: each.incident for each in settled if _tells_otherwise(each)}
        children = await incidents.children(self._connection, turned.keys())
        orphaned = [(child, turned[child.parent_id]) for child in children if child.parent_id is not None]
        found = {other.id: (other, about) for other, about in (*adopted, *orphaned)}
        return [pair for id_, pair in found.items() if id_ not in self._changing]


def _tells_otherwise(settled: Settled) -> bool:
    return any(each.kind in _TURNS for each in settled.happenings)


def _card(channel: str, incident: Incident) -> Wanted:
    return Wanted(
        kind=DeliveryKind.CARD,
        channel=channel,
        reason=NotifyReason.OPENED,
        incident_id=incident.id,
        loud=True,
    )
