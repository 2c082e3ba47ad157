"""The database and all that rests on it. It is opened in the background: the service answers before it is there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from alert_service.api.services import Stored
from alert_service.clicks.clicks import Clicks
from alert_service.clicks.performing import Performing
from alert_service.clients.opened import Clients
from alert_service.explaining.gathering import Explaining
from alert_service.incidents.desk import Desk, NoSuchIncident
from alert_service.incidents.settling import Settling
from alert_service.intake.own_alerts import OwnAlerts
from alert_service.metrics import SERVICE
from alert_service.policy import AlertPolicy
from alert_service.settings import AlertSettings
from alert_service.silences.silencing import Silencing
from alert_service.storage.clicks import ClickRows
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.delivery_reports import DeliveryReports
from alert_service.storage.explanations import Explanations
from alert_service.storage.heartbeats import HeartbeatStore
from alert_service.storage.inbox import Inbox
from alert_service.storage.listing import Listing
from alert_service.storage.models import SCHEMA
from alert_service.storage.rehearsals import Rehearsals
from alert_service.storage.silences import SilenceRows
from alert_service.storage.used_links import UsedLinks
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
    alarms: OwnAlerts
    stored: Stored


class Storage(Opening[Opened]):
    """Makes what rests on the database."""

    def __init__(
        self,
        settings: AlertSettings,
        clock: Clock,
        clients: Clients,
        *,
        policy: Callable[[], AlertPolicy],
        told: Told,
    ) -> None:
        super().__init__(settings.database, clock, schema=SCHEMA, service=SERVICE, scripts=MIGRATIONS)
        self._clock = clock
        self._clients = clients
        self._policy = policy
        self._told = told
        self._cluster = settings.cluster

    @property
    def stored(self) -> Stored | None:
        return None if self.opened is None else self.opened.stored

    async def _made(self, database: Database, leading: Database) -> Opened:
        deliveries = Deliveries(database)
        settling = Settling(deliveries, self._policy)
        desk = Desk(database, settling, self._clock, policy=self._policy, on_acted=self._told.acted)
        silencing = self._silencing(database)
        explain = partial(self._explain, Explanations(database), settling)
        performing = Performing(desk, silencing=silencing, healing=self._clients.healing, explain=explain)
        inbox = Inbox(database, on_stored=self._told.stored)
        return Opened(
            leading=leading,
            settling=settling,
            alarms=OwnAlerts(database, inbox, self._clock, cluster=self._cluster),
            stored=Stored(
                database=database,
                inbox=inbox,
                deliveries=deliveries,
                delivery_reports=DeliveryReports(database),
                desk=desk,
                performing=performing,
                clicks=self._clicks(database, performing, deliveries),
                used_links=UsedLinks(database),
                silencing=silencing,
                rehearsals=Rehearsals(database),
                listing=Listing(database),
                heartbeats=HeartbeatStore(database),
            ),
        )

    async def _explain(self, explanations: Explanations, settling: Settling, incident_id: UUID) -> str:
        explaining = Explaining(explanations, None, policy=self._policy(), routes=settling.routes)
        found = await explaining.incident(incident_id, now=self._clock.now())
        return str(NoSuchIncident(incident_id)) if found is None else found.summary

    def _silencing(self, database: Database) -> Silencing | None:
        alertmanager = self._clients.alertmanager
        if alertmanager is None:
            return None
        rows, prometheus = SilenceRows(database), self._clients.prometheus
        return Silencing(alertmanager, rows, self._clock, prometheus=prometheus, policy=self._policy)

    def _clicks(self, database: Database, performing: Performing, deliveries: Deliveries) -> Clicks:
        answers = self._clients.slack_answers
        return Clicks(ClickRows(database), performing, deliveries, answers, self._clock, policy=self._policy)
