"""Finds the incidents that belong together, in the database and among what is being stored."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incidents.change import Changed
from alert_service.incidents.incident import HappeningKind, Incident
from alert_service.incidents.settle import Settled
from alert_service.routing.correlation import began_at, reach_of
from alert_service.storage import incidents
from alert_service.storage.incident_rows import WIDE, bonds_of, tie_keys
from alert_service.storage.incidents import Saved

# What decides whether the children of an incident are told with it.
_TURNS = frozenset(
    {
        HappeningKind.ALERTS_RESOLVED,
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


class Family:
    """Of what one transaction stores. Only what opens looks around, among what opened lately."""

    def __init__(
        self,
        connection: AsyncConnection,
        changes: Sequence[Due],
        *,
        around: Sequence[Incident],
        parents: Mapping[UUID, Incident],
        opening: Mapping[UUID, frozenset[str]],
    ) -> None:
        self._connection = connection
        self._known = dict(parents)  # parents, and everything that is settled already
        self._changing = {each.done.incident.id for each in changes}
        self._around = {each.id for each in around}
        self._keys: dict[UUID, frozenset[str]] = {}  # what each has that others may have too
        self._reach: dict[UUID, int] = {}
        self._by_key: dict[str, list[Incident]] = defaultdict(list)
        self.parents_first = sorted(changes, key=lambda each: each.done.incident.parent_id is not None)
        for incident in (*around, *(each.done.incident for each in changes if _opens(each))):
            self._keys[incident.id] = keys = opening.get(incident.id) or tie_keys(incident)
            self._reach[incident.id] = reach_of(incident)
            for key in keys:
                self._by_key[key].append(incident)

    @classmethod
    async def of(cls, connection: AsyncConnection, changes: Sequence[Due], within: timedelta) -> "Family":
        """`within`: how far from what opens now something may have begun that it belongs to."""
        ids = {each.done.incident.parent_id for each in changes if each.done.incident.parent_id is not None}
        parents = await incidents.by_ids(connection, ids, lock=False) if ids else {}
        new = [each.done.incident for each in changes if _opens(each)]
        opening = {each.id: tie_keys(each) for each in new}
        bonds = {bond for each in new for bond in bonds_of(each, opening[each.id])}
        changing = {each.done.incident.id for each in changes}
        found = await incidents.near(connection, bonds, began_at(new) - within) if bonds else []
        near = [each for each in found if each.id not in changing]
        return cls(connection, changes, around=near, parents=parents, opening=opening)

    def saved(self, due: Due, settled: Settled) -> Saved:
        """To be stored."""
        return Saved(before=due.before, settled=settled, ties=self._keys.get(settled.incident.id))

    def parent(self, incident: Incident) -> Incident | None:
        """As it is after what is being stored."""
        return None if incident.parent_id is None else self._known.get(incident.parent_id)

    def settled(self, incident: Incident) -> None:
        self._known[incident.id] = incident

    def near(self, each: Due) -> Sequence[Incident]:
        """Those that may explain what opens, as they are by now."""
        if not _opens(each):
            return ()
        own = self._reach[each.done.incident.id]
        shared = self._sharing(each.done.incident, lambda reach: reach < own)
        found = [self._known.get(other.id, other) for other in shared]
        return [other for other in found if other.parent_id is None]

    def _sharing(self, incident: Incident, wide: Callable[[int], bool]) -> Sequence[Incident]:
        """Others that have something in common with it. Whoever shares no more than a node or a zone only counts with a
        reach that `wide` accepts: in a storm hundreds do."""
        found: dict[UUID, Incident] = {}
        for key in self._keys[incident.id]:
            all_of_it = not key.startswith(WIDE)
            for other in self._by_key[key]:
                if all_of_it or wide(self._reach[other.id]):
                    found[other.id] = other
        found.pop(incident.id, None)
        return list(found.values())

    def _explained(self, incident: Incident) -> Sequence[Incident]:
        own = self._reach[incident.id]
        return self._sharing(incident, lambda reach: reach > own)

    async def relatives(self, settled: Sequence[Settled]) -> list[tuple[Incident, Incident]]:
        """Others whom this concerns, each with whom it is about: what a newcomer may explain, and the children of those
        that were told differently before."""
        adopted = [
            (other, each.incident)
            for each in settled
            if each.incident.id in self._keys and each.incident.parent_id is None
            for other in self._explained(each.incident)
            if other.id in self._around and other.parent_id is None
        ]
        turned = {each.incident.id: each.incident for each in settled if _tells_otherwise(each)}
        children = await incidents.children(self._connection, turned.keys())
        orphaned = [(child, turned[child.parent_id]) for child in children if child.parent_id is not None]
        found = {other.id: (other, about) for other, about in (*adopted, *orphaned)}
        return [pair for id_, pair in found.items() if id_ not in self._changing]


def _opens(each: Due) -> bool:
    return each.before is None or each.done.has(HappeningKind.REOPENED)


def _tells_otherwise(settled: Settled) -> bool:
    return any(each.kind in _TURNS for each in settled.happenings)
