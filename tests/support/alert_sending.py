"""Alerts that become messages, and senders that a test steps: real database, real pipeline, channels that obey."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.support.alert_database import alert_rows
from tests.support.clock import SteppedClock

from alert_service.acts import Act, ActKind, Person, Via
from alert_service.alert import Source
from alert_service.cards.card import Card, Tone
from alert_service.cards.dialects.plain import PLAIN
from alert_service.channels.channel import (
    Abilities,
    Buttons,
    Channel,
    DeliveryError,
    DeliveryReason,
    Message,
    MessageRef,
    Receipt,
)
from alert_service.clockwork import Clockwork
from alert_service.delivery import Attempt, Delivery
from alert_service.desk import Desk
from alert_service.fallbacks import Fallbacks
from alert_service.incident import Incident
from alert_service.notify import title_of
from alert_service.pipeline import Pipeline
from alert_service.policy.settings import AlertPolicy
from alert_service.rendering import NO_RELATIVES, Relatives, Rendering
from alert_service.settling import Settling
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.inbox import Inbox
from alert_service.storm import Storm
from common.database.connections import Database

ANA = Person(name="ana@example.com", shown="Ana", rights=frozenset(ActKind))
LIVELY = Abilities(updates=True, threads=True, buttons=Buttons.NATIVE, confirms=True)
SIMPLE = Abilities(updates=False, threads=False, buttons=Buttons.LINKS, confirms=False)


class Obedient:
    """A channel that keeps what it takes; `failures` are raised first, each once."""

    kind = "slack"
    dialect = PLAIN

    def __init__(self, name: str, abilities: Abilities = LIVELY) -> None:
        self.name, self.abilities = name, abilities
        self.messages: list[Message] = []
        self.failures: list[DeliveryError] = []
        self.down: DeliveryError | None = None
        self.tried = 0

    async def send(self, message: Message) -> Receipt:
        self.tried += 1
        if self.down is not None:
            raise self.down
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)
        if not self.abilities.updates:
            return Receipt(posted=self.abilities.confirms)
        return Receipt(posted=True, ref=message.update or MessageRef(conversation="C1", id=str(len(self.messages))))

    async def close(self) -> None:
        return

    @property
    def seen(self) -> list[str]:
        """Each message in a few words: how it went out, and what its card says."""
        return [_words(each) for each in self.messages]


def _words(message: Message) -> str:
    way = "update" if message.update else "reply" if message.thread else "post"
    loud = "!" if message.broadcast else ""
    called = "".join(f" @{each}" for each in message.card.mentions)
    return f"{way}{loud} {message.card.title or message.card.body}{called}"


def broken(reason: DeliveryReason, *, retryable: bool = True, after: float | None = None) -> DeliveryError:
    wait = None if after is None else timedelta(seconds=after)
    return DeliveryError(reason, f"it says {reason}", retryable=retryable, retry_after=wait)


class Titles:
    """Cards of next to nothing."""

    def incident(
        self, incident: Incident, channel: Channel, *, mentions: Sequence[str] = (), relatives: Relatives = NO_RELATIVES
    ) -> Card:
        return self._card(f"{title_of(incident)} {incident.state}", mentions)

    def storm(self, storm: Storm, channel: Channel) -> Card:
        return self._card(f"storm of {storm.incidents}" + (" is over" if storm.ended_at else ""), ())

    def plain(self, text: str, channel: Channel, *, mentions: Sequence[str] = (), about: str = "") -> Card:
        return self._card(f"{about}: {text}" if about else text, mentions)

    def _card(self, title: str, mentions: Sequence[str]) -> Card:
        return Card(title=title, tone=Tone.INFO, fallback=title, mentions=tuple(mentions))


class Given:
    """The channels of a test, in place of those that the settings make."""

    def __init__(self, policy: AlertPolicy, channels: Sequence[Obedient]) -> None:
        self.policy = policy
        self.channels: Mapping[str, Obedient] = {each.name: each for each in channels}

    def get(self, name: str) -> Channel | None:
        return self.channels.get(name)

    def why_not(self, name: str) -> str:
        return f"the policy has no channel {name} any more"

    @property
    def names(self) -> Sequence[str]:
        return list(self.policy.channels)


class Sending:
    """Everything between Alertmanager's post and the vendor, by a clock that stands still."""

    def __init__(self, database: Database, policy: Mapping[str, Any], *channels: Obedient) -> None:
        self.database, self.clock = database, SteppedClock()
        self.policy = AlertPolicy.model_validate(policy)
        self.channels = channels
        self.attempts: list[Attempt] = []
        self.inbox, self.deliveries = Inbox(database), Deliveries(database)
        settling = Settling(self.deliveries, lambda: self.policy)
        self.pipeline = Pipeline(
            database, self.inbox, settling, self.clock, policy=lambda: self.policy, on_worked=lambda worked: None
        )
        self.clockwork = Clockwork(
            database, settling, self.clock, policy=lambda: self.policy, on_settled=lambda settled: None
        )
        self.desk = Desk(database, settling, self.clock, policy=lambda: self.policy)
        self.delivery = self.a_delivery()
        self.fallbacks = Fallbacks(
            database, self.deliveries, self.clock, policy=lambda: self.policy, trouble=self.delivery.trouble
        )

    def a_delivery(self) -> Delivery:
        """One more, as the next leader has it."""
        given: Any = Given(self.policy, self.channels)
        return Delivery(
            self.deliveries,
            given,
            Rendering(self.database, Titles()),
            self.clock,
            on_attempt=self.attempts.append,
        )

    async def post(self, name: str, *pods: str, status: str = "firing", severity: str = "critical") -> None:
        """One post of Alertmanager, worked off."""
        alerts = [
            {
                "status": status,
                "labels": {"alertname": name, "namespace": "shop", "severity": severity, "pod": pod},
                "annotations": {},
                "startsAt": (self.clock.now() - timedelta(minutes=1)).isoformat(),
                "endsAt": self.clock.now().isoformat() if status == "resolved" else "0001-01-01T00:00:00Z",
                "fingerprint": f"{name}-{pod}",
            }
            for pod in pods or ("p1",)
        ]
        body = {"version": "4", "groupKey": f"{{}}:{{{name}}}", "status": status, "receiver": "r", "alerts": alerts}
        await self.inbox.put(Source.ALERTMANAGER, str(uuid4()), json.dumps(body).encode(), self.clock.now())
        while await self.pipeline.work():
            pass

    async def acknowledge(self, name: str) -> None:
        [(found,)] = await self.rows("SELECT id FROM incident WHERE title LIKE :title", title=f"{name}%")
        act = Act(kind=ActKind.ACKNOWLEDGE, incident_id=found, by=ANA, via=Via.API, at=self.clock.now())
        await self.desk.act(act)

    async def step(self, seconds: float) -> datetime:
        """Time passes, and the timers do what it brings."""
        now = self.clock.step(seconds)
        while await self.clockwork.work():
            pass
        return now

    async def send(self, delivery: Delivery | None = None) -> None:
        """Whatever can be sent at this very moment."""
        for name in self.policy.channels:
            while await (delivery or self.delivery).turn(name) == 0:
                pass

    async def rows(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        return await alert_rows(self.database, sql, **values)

    async def states(self, channel: str = "sre") -> list[str]:
        """Kind and state of each message, in the order of queueing."""
        found = await self.rows(
            "SELECT kind, state FROM delivery WHERE channel = :channel ORDER BY number", channel=channel
        )
        return [f"{kind} {state}" for kind, state in found]
