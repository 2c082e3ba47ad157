"""People who act on incidents in a real database: the API for presses and links, and what is behind it, in process."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
from tests.support.alert_database import alert_rows
from tests.support.alert_incidents import a_post, an_alert
from tests.support.clock import SteppedClock
from tests.support.web import TOKENS, client_of

from alert_service.api import links, silences, slack
from alert_service.clicks.clicks import Clicks
from alert_service.clicks.links import Key, LinkSigner
from alert_service.clicks.performing import Performing
from alert_service.clicks.slack_requests import Click
from alert_service.clients.alertmanager import Alertmanager
from alert_service.clients.asking import Refused, Unavailable
from alert_service.clients.healing import DecidedRun
from alert_service.clients.prometheus import Prometheus
from alert_service.incidents.acts import ActKind, Person
from alert_service.incidents.alert import Alert
from alert_service.incidents.desk import Desk
from alert_service.incidents.incident import Incident
from alert_service.incidents.posts import received
from alert_service.incidents.settling import Settling
from alert_service.incidents.values import ButtonValue
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.family import Due
from alert_service.silences.keeper import SilenceKeeper
from alert_service.silences.silencing import Silencing
from alert_service.storage import incidents
from alert_service.storage.clicks import ClickRows
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.silences import SilenceRows
from alert_service.storage.used_links import UsedLinks
from common.database.connections import Database
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings

SECRET = "slack-signing-secret"
EVERYTHING = [each.value for each in ActKind]
POLICY: dict[str, Any] = {
    "channels": {"sre": {"kind": "slack", "conversation": "#sre"}},
    "routes": [{"name": "all", "channels": ["sre"]}],
    "people": {
        "ana": {"identity": "ana@example.com", "shown": "Ana", "slack": "U0ANA", "rights": EVERYTHING},
        "ben": {"identity": "ben@example.com", "shown": "Ben", "slack": "U0BEN", "rights": ["acknowledge"]},
    },
}


class Decisions:
    """auto_healing, which takes every decision once, or does as it is told."""

    def __init__(self) -> None:
        self.decided: list[tuple[str, UUID, str]] = []
        self.failing: Exception | None = None

    async def approve(self, run_id: UUID, person: Person) -> DecidedRun:
        return self._decide("approve", run_id, person)

    async def deny(self, run_id: UUID, person: Person, reason: str) -> DecidedRun:
        return self._decide("deny", run_id, person)

    def _decide(self, what: str, run_id: UUID, person: Person) -> DecidedRun:
        if self.failing is not None:
            raise self.failing
        if any(run == run_id for _, run, _ in self.decided):
            raise Refused(409, f"run {run_id} waits for nobody")
        self.decided.append((what, run_id, person.name))
        return DecidedRun(id=run_id, state="approved")

    def is_down(self) -> None:
        self.failing = Unavailable("auto_healing does not answer")


class Told:
    """What people were told."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    async def tell(self, click: Click, text: str) -> None:
        self.texts.append((click.user_id, text))


class Acting:
    """By a clock that stands still, which begins now: Alertmanager has one of its own."""

    def __init__(
        self, database: Database, alertmanager_url: str = "", prometheus: Prometheus | None = None, **policy: Any
    ) -> None:
        self.database, self.clock = database, SteppedClock(datetime.now(UTC).replace(microsecond=0))
        self.policy = AlertPolicy.model_validate({**POLICY, **policy})
        self.healing, self.told = Decisions(), Told()
        self.deliveries = Deliveries(database)
        self.settling = Settling(self.deliveries, lambda: self.policy)
        self.desk = Desk(database, self.settling, self.clock, policy=lambda: self.policy)
        self.alertmanager = Alertmanager(alertmanager_url) if alertmanager_url else None
        self.prometheus = prometheus
        self.silence_rows = SilenceRows(database)
        self.silencing = None if self.alertmanager is None else self._silencing(self.alertmanager)
        self.performing = Performing(
            self.desk,
            silencing=self.silencing,
            healing=self.healing,  # type: ignore[arg-type]
            explain=self._explain,
        )
        self.clicks = self.a_replica()
        self.used_links = UsedLinks(database)
        self.signer = LinkSigner("http://sample", [Key("k1", b"1" * 32)], timedelta(hours=1))
        self.refused: list[tuple[str, str]] = []
        self.services = SimpleNamespace(
            now=self.clock.now,
            policy=lambda: self.policy,
            storage=SimpleNamespace(stored=self, reason="there is none"),
            links=self.signer,
            person_header="",
            slack_signing_secrets=(SECRET,),
            refused=lambda source, reason: self.refused.append((source, str(reason))),
            on_click_answered=lambda seconds: None,
        )
        self.app = create_app(
            "alert_service",
            "1.0",
            routers=[slack.router, links.router, silences.router],
            authenticator=TOKENS,
            probes=(),
            metrics=ServiceMetrics("alert_service", "1.0"),
            settings=WebSettings(),
        )
        self.app.state.services = self.services

    async def close(self) -> None:
        for each in (self.alertmanager, self.prometheus):
            if each is not None:
                await each.close()

    def a_replica(self) -> Clicks:
        """What another replica works presses off with."""
        return Clicks(
            ClickRows(self.database),
            self.performing,
            self.deliveries,
            self.told,
            self.clock,
            policy=lambda: self.policy,
        )

    @property
    def keeper(self) -> SilenceKeeper:
        assert self.silencing is not None
        return SilenceKeeper(
            self.silencing, self.desk, self.database, self.deliveries, self.clock, policy=lambda: self.policy
        )

    async def opens(self, *alerts: Alert, **fields: Any) -> Incident:
        """An incident, settled and stored."""
        now = self.clock.now()
        fields.setdefault("group_key", str(uuid4()))
        done = received(None, a_post(*(alerts or (an_alert(at=now),)), **fields), self.policy, now=now, new_id=uuid4())
        assert done is not None
        async with self.database.begin() as connection:
            settled = await self.settling.store(connection, [Due(before=None, done=done, received_at=now)], now)
        return settled[0].incident

    async def incident(self, incident: Incident) -> Incident:
        """As it is now."""
        async with self.database.begin() as connection:
            return (await incidents.by_ids(connection, [incident.id], lock=False))[incident.id]

    async def happened(self, incident: Incident) -> list[tuple[str, str]]:
        """What people did, in the timeline: kind and text."""
        rows = await alert_rows(
            self.database,
            "SELECT kind, text FROM timeline WHERE incident_id = :id AND \"by\" <> '' ORDER BY id",
            id=incident.id,
        )
        return [(kind, text) for kind, text in rows]

    def value(self, incident: Incident, **fields: Any) -> str:
        """Of a button of its card."""
        return str(ButtonValue(incident_id=incident.id, revision=fields.pop("revision", incident.revision), **fields))

    async def ask(self, method: str, path: str, token: str | None = None, **request: Any) -> httpx.Response:
        async with client_of(self.app, token) as http:
            return await http.request(method, path, **request)

    async def press(self, action: str, value: str, user: str = "U0ANA", **payload: Any) -> httpx.Response:
        """As Slack posts it; not worked off yet."""
        body = a_press(action, value, user, **payload)
        return await self.post_press(body, signed(body, self.clock.now()))

    async def post_press(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return await self.ask("POST", "/api/v1/slack/interactivity", content=body, headers=dict(headers))

    async def _explain(self, incident_id: UUID) -> str:
        return f"Why <incident> {incident_id}"

    def _silencing(self, alertmanager: Alertmanager) -> Silencing:
        return Silencing(
            alertmanager, self.silence_rows, self.clock, prometheus=self.prometheus, policy=lambda: self.policy
        )


def a_press(action: str, value: str, user: str = "U0ANA", **payload: Any) -> bytes:
    said = {
        "type": "block_actions",
        "user": {"id": user, "name": "whoever"},
        "container": {"message_ts": "1700000000.000100", "channel_id": "C0SRE"},
        "response_url": "https://hooks.slack.com/actions/x",
        "actions": [{"action_id": action, "value": value}],
        **payload,
    }
    return urlencode({"payload": json.dumps(said)}).encode()


def signed(body: bytes, at: datetime, secret: str = SECRET) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": f"v0={digest}",
    }


def sentences(told: Sequence[tuple[str, str]], user: str = "U0ANA") -> list[str]:
    """What one person was told."""
    return [text for who, text in told if who == user]
