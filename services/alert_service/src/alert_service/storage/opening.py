"""The database and all that rests on it. It is opened in the background: the service answers before it is there."""

from collections.abc import Callable
from dataclasses import dataclass

from alert_service.api.services import Stored
from alert_service.desk import Desk
from alert_service.metrics import SERVICE
from alert_service.policy import AlertPolicy
from alert_service.settings import AlertSettings
from alert_service.settling import Settling
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.inbox import Inbox
from alert_service.storage.listing import Listing
from alert_service.storage.models import SCHEMA
from alert_service.storage.rehearsals import Rehearsals
from alert_service.told import Told
from common.clock import Clock
from common.database.connections import Database
from common.database.opening import Opening

MIGRATIONS = "alert_service:migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What there is once the database is open. `leading` has connections of its own, for the election."""

    leading: Database
    settling: Settling
    stored: Stored


class Storage(Opening[Opened]):
    """Makes what rests on the database."""

    def __init__(self, settings: AlertSettings, clock: Clock, *, policy: Callable[[], AlertPolicy], told: Told) -> None:
        super().__init__(settings.database, clock, schema=SCHEMA, service=SERVICE, scripts=MIGRATIONS)
        self._clock = clock
        self._policy = policy
        self._told = told

    @property
    def stored(self) -> Stored | None:
        return None if self.opened is None else self.opened.stored

    async def _made(self, database: Database, leading: Database) -> Opened:
        deliveries = Deliveries(database)
        settling = Settling(deliveries, self._policy)
        return Opened(
            leading=leading,
            settling=settling,
            stored=Stored(
                database=database,
                inbox=Inbox(database, on_stored=self._told.stored),
                deliveries=deliveries,
                desk=Desk(database, settling, self._clock, policy=self._policy, on_acted=self._told.acted),
                rehearsals=Rehearsals(database),
                listing=Listing(database),
            ),
        )
