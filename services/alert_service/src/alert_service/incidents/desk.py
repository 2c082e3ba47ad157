"""The one way in which a person changes an incident, on whatever replica; its row is locked until that is stored."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incidents.acting import act
from alert_service.incidents.acts import Act, ActKind, Answer
from alert_service.incidents.change import Changed, changed
from alert_service.incidents.incident import Happening, Incident
from alert_service.incidents.settle import Settled
from alert_service.incidents.settling import Settling
from alert_service.policy import AlertPolicy
from alert_service.routing.family import Due
from alert_service.storage import incidents
from alert_service.storage.quality import vote
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import Contended

_VOTES = frozenset({ActKind.NOISY, ActKind.USEFUL})


_TRIES = 3
T = TypeVar("T")


class NoSuchIncident(LookupError):
    """It was never there, or is not kept any more."""

    def __init__(self, incident_id: UUID) -> None:
        super().__init__(f"there is no incident {incident_id}; resolved ones are kept for some time only")
        self.incident_id = incident_id


class Desk:
    """`on_acted` is told of each act and its answer, once it is committed."""

    def __init__(
        self,
        database: Database,
        settling: Settling,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
        on_acted: Callable[[Act, Answer, Settled | None], None] = lambda act, answer, settled: None,
    ) -> None:
        self._database = database
        self._settling = settling
        self._clock = clock
        self._policy = policy
        self._on_acted = on_acted

    async def find(self, incident_id: UUID) -> Incident:
        """As it is now. Raises NoSuchIncident and DatabaseError."""
        async with self._database.begin() as connection:
            incident = (await incidents.by_ids(connection, [incident_id], lock=False)).get(incident_id)
        if incident is None:
            raise NoSuchIncident(incident_id)
        return incident

    async def act(self, wanted: Act) -> Answer:
        """Raises NoSuchIncident and DatabaseError."""
        return await _patiently(lambda: self._act(wanted))

    async def _act(self, wanted: Act) -> Answer:
        now = self._clock.now()
        async with self._database.begin() as connection:
            incident = (await incidents.by_ids(connection, [wanted.incident_id])).get(wanted.incident_id)
            if incident is None:
                raise NoSuchIncident(wanted.incident_id)
            done, answer = act(incident, wanted, self._policy(), now=now)
            if wanted.kind in _VOTES and answer.changed:
                await vote(connection, incident, wanted.by.name, noisy=wanted.kind is ActKind.NOISY, at=now)
            settled = await self._store(connection, incident, done, now)
        self._on_acted(wanted, answer, settled)
        return answer

    async def record(self, incident_id: UUID, *happenings: Happening) -> None:
        """What others did about it. An incident that is gone is none of anybody's concern any more."""
        await self.change(incident_id, lambda incident: changed(incident, *happenings))

    async def change(self, incident_id: UUID, change: Callable[[Incident], Changed]) -> None:
        """As `record`, where more becomes of it than a line."""
        await _patiently(lambda: self._change(incident_id, change))

    async def _change(self, incident_id: UUID, change: Callable[[Incident], Changed]) -> None:
        now = self._clock.now()
        async with self._database.begin() as connection:
            incident = (await incidents.by_ids(connection, [incident_id])).get(incident_id)
            if incident is not None:
                await self._store(connection, incident, change(incident), now)

    async def _store(
        self, connection: AsyncConnection, incident: Incident, done: Changed, now: datetime
    ) -> Settled | None:
        if done.incident is incident and not done.happenings:
            return None
        stored = await self._settling.store(connection, [Due(before=incident, done=done, received_at=now)], now)
        return stored[0]


async def _patiently(once: Callable[[], Awaitable[T]]) -> T:
    """An incident and its children may be locked in another order at the same time: one of the two begins again."""
    for _ in range(_TRIES - 1):
        try:
            return await once()
        except Contended:
            continue
    return await once()
