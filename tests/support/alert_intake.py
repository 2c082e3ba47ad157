"""What Alertmanager posts, and everything between the post and the messages that are wanted, on a real database."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import msgspec
from tests.support.alert_database import alert_rows
from tests.support.clock import NOON, SteppedClock
from tests.support.web import ADMIN_TOKEN, TOKENS

from alert_service.api import heartbeats, incidents, webhooks
from alert_service.incidents.alert import Source
from alert_service.incidents.clockwork import Clockwork
from alert_service.incidents.desk import Desk
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.settle import Settled
from alert_service.incidents.settling import Settling
from alert_service.intake.batch import Worked
from alert_service.intake.listener import Listener
from alert_service.intake.own_alerts import OwnAlerts
from alert_service.intake.pipeline import Pipeline
from alert_service.policy import AlertPolicy
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.delivery_reports import DeliveryReports
from alert_service.storage.heartbeats import HeartbeatStore
from alert_service.storage.inbox import Inbox
from alert_service.storage.listing import Listing
from common.database.connections import Database
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings

GROUP = '{}:{alertname="KubePodCrashLooping", namespace="shop"}'
POLICY: dict[str, Any] = {
    "channels": {"sre": {"kind": "slack", "conversation": "#sre"}},
    "routes": [{"name": "all", "channels": ["sre"]}],
}


def an_alert(pod: str = "checkout-1", *, status: str = "firing", at: datetime = NOON, **labels: str) -> dict[str, Any]:
    """As Alertmanager has it. `at`: when it began, or when it resolved."""
    own = {"alertname": "KubePodCrashLooping", "namespace": "shop", "severity": "warning", "pod": pod} | labels
    firing = status == "firing"
    return {
        "status": status,
        "labels": own,
        "annotations": {"summary": f"{pod} crashes"},
        "startsAt": (at if firing else at - timedelta(minutes=10)).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z" if firing else at.isoformat(),
        "generatorURL": "http://prometheus.example.com/graph",
        "fingerprint": fingerprint_of(own),
    }


def a_resolved_alert(pod: str = "checkout-1", *, at: datetime, **labels: str) -> dict[str, Any]:
    return an_alert(pod, status="resolved", at=at, **labels)


def a_post(*alerts: dict[str, Any], group: str = GROUP, **changes: Any) -> bytes:
    """The body of one post; `changes` are further members, or others."""
    status = "firing" if any(each["status"] == "firing" for each in alerts) else "resolved"
    members = {
        "version": "4",
        "groupKey": group,
        "receiver": "alert-service",
        "status": status,
        "truncatedAlerts": 0,
        "alerts": alerts,
        "groupLabels": {"alertname": "KubePodCrashLooping"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
    }
    return msgspec.json.encode(members | changes)


class Intake:
    """One replica without its web server and its channels. Nothing happens but what the test has done."""

    def __init__(self, database: Database, *, policy: dict[str, Any] | None = None) -> None:
        self.database = database
        self.clock = SteppedClock()
        self.policy = AlertPolicy.model_validate(POLICY | (policy or {}))
        self.inbox = Inbox(database)
        self.deliveries = Deliveries(database)
        self.settling = Settling(self.deliveries, lambda: self.policy)
        self.desk = Desk(database, self.settling, self.clock, policy=lambda: self.policy)
        self.heartbeats = HeartbeatStore(database)
        self.batches: list[Worked] = []
        self.settled: list[Settled] = []
        self.missing: dict[str, bool] = {}
        self.refused: list[tuple[Source, str]] = []
        self.pipeline = Pipeline(
            database,
            self.inbox,
            self.settling,
            self.clock,
            policy=lambda: self.policy,
            on_worked=self.batches.append,
        )
        self.clockwork = Clockwork(
            database, self.settling, self.clock, policy=lambda: self.policy, on_settled=self.settled.extend
        )
        self.alarms = OwnAlerts(database, self.inbox, self.clock, cluster="prod")
        self.listener = Listener(
            self.heartbeats,
            self.alarms,
            self.clock,
            policy=lambda: self.policy,
            on_looked=self._looked,
        )

    def _looked(self, missing: dict[str, bool]) -> None:
        self.missing = missing

    async def put(self, body: bytes, source: Source = Source.ALERTMANAGER) -> None:
        await self.inbox.put(source, "key", body, self.clock.now())

    async def work(self) -> Worked:
        """What waits, as one batch."""
        await self.pipeline.work()
        return self.batches[-1] if self.batches else Worked()

    async def take(self, *bodies: bytes, source: Source = Source.ALERTMANAGER) -> Worked:
        for body in bodies:
            await self.put(body, source)
        return await self.work()

    async def rows(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        return await alert_rows(self.database, sql, **values)

    async def states(self) -> list[str]:
        """Of all incidents, in the order in which they opened."""
        return [state for (state,) in await self.rows("SELECT state FROM incident ORDER BY opened_at, title")]

    async def only(self) -> UUID:
        """The one incident there is."""
        ((found,),) = await self.rows("SELECT id FROM incident")
        return UUID(str(found))

    async def history(self) -> list[str]:
        """The kinds of all lines of all timelines, in their order."""
        return [kind for (kind,) in await self.rows("SELECT kind FROM timeline ORDER BY id")]

    async def messages(self) -> list[tuple[Any, ...]]:
        """Kind, reason, and whether it only updates, of all that were queued."""
        return await self.rows("SELECT kind, reason, quiet FROM delivery ORDER BY number")

    def client(self, token: str | None = ADMIN_TOKEN, *, routers: Sequence[Any] = ()) -> httpx.AsyncClient:
        """Speaks to the API of this replica in process."""
        app = create_app(
            "alert_service",
            "1.0",
            routers=[webhooks.router, incidents.router, heartbeats.router, *routers],
            authenticator=TOKENS,
            probes=(),
            metrics=ServiceMetrics("alert_service", "1.0"),
            settings=WebSettings(),
        )
        stored = SimpleNamespace(
            database=self.database,
            inbox=self.inbox,
            desk=self.desk,
            listing=Listing(self.database),
            delivery_reports=DeliveryReports(self.database),
            heartbeats=self.heartbeats,
        )
        app.state.services = SimpleNamespace(
            now=self.clock.now,
            policy=lambda: self.policy,
            storage=SimpleNamespace(stored=stored, reason=""),
            refused=lambda source, reason: self.refused.append((source, reason)),
            webhook_secrets=(),
        )
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://alerts", headers=headers)
