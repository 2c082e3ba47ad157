"""Messages that are wanted, and senders that a test steps: a real database, and channels that do as they are told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.support.alert_database import alert_rows
from tests.support.clock import SteppedClock

from alert_service.cards.card import Button, Card, Tone
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
from alert_service.delivery.delivery import Delivery
from alert_service.delivery.fallbacks import Fallbacks
from alert_service.delivery.rendering import NO_RELATIVES, Relatives, Rendering
from alert_service.delivery.sender import Attempt
from alert_service.incidents.acts import ActKind
from alert_service.incidents.alert import AlertSeverity, Source
from alert_service.incidents.incident import Incident, IncidentState
from alert_service.incidents.settle import Settled
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.storm import Storm
from alert_service.routing.wanted import DeliveryKind, NotifyReason, Wanted
from alert_service.storage import incidents, storms
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.delivery_reports import DeliveryReports
from alert_service.storage.incidents import Saved
from common.database.connections import Database

# Messages as they are wanted of an incident.
OPENED = {"kind": "card", "reason": "opened", "loud": True}
CHANGED = {"kind": "card", "reason": "changed", "quiet": True}
ACTED = {"kind": "reply", "reason": "acted", "text": "Ana has it"}
NOISY = {"kind": "reply", "reason": "repeated", "text": "it still fires", "loud": True}

LIVELY = Abilities(updates=True, threads=True, buttons=Buttons.NATIVE)
SIMPLE = Abilities(updates=False, threads=False, buttons=Buttons.LINKS)
CHANNELS = {"sre": {"kind": "slack", "conversation": "#sre"}}


class Obedient:
    """A channel that keeps what it takes. `failures` are raised first, each once; `down` for as long as it is set."""

    kind = "slack"
    dialect = PLAIN

    def __init__(self, name: str = "sre", abilities: Abilities = LIVELY) -> None:
        self.name, self.abilities = name, abilities
        self.messages: list[Message] = []
        self.failures: list[DeliveryError] = []
        self.down: DeliveryError | None = None
        self.tried = 0

    async def send(self, message: Message) -> Receipt:
        self.tried += 1
        if self.failures:
            raise self.failures.pop(0)
        if self.down is not None:
            raise self.down
        self.messages.append(message)
        if not self.abilities.updates:
            return Receipt(posted=False)
        return Receipt(posted=True, ref=message.update or MessageRef(conversation="C1", id=str(len(self.messages))))

    async def close(self) -> None:
        return

    @property
    def seen(self) -> list[str]:
        """Each message in a few words: how it went out, what its card says, and who is called."""
        return [_words(each) for each in self.messages]


def _words(message: Message) -> str:
    way = "update" if message.update else "reply" if message.thread else "post"
    loud = "!" if message.broadcast else ""
    called = "".join(f" @{each}" for each in message.card.mentions)
    note = f" ({message.card.footer})" if message.card.footer else ""
    return f"{way}{loud} {message.card.title}{called}{note}"


def error(reason: DeliveryReason, *, retryable: bool = True, after: float | None = None) -> DeliveryError:
    wait = None if after is None else timedelta(seconds=after)
    return DeliveryError(reason, f"it says {reason}", retryable=retryable, retry_after=wait)


class Titles:
    """Cards of next to nothing."""

    def incident(
        self, incident: Incident, channel: Channel, *, mentions: Sequence[str] = (), relatives: Relatives = NO_RELATIVES
    ) -> Card:
        family = f", below {relatives.parent}" if relatives.parent else ""
        family += f", above {', '.join(relatives.children)}" if relatives.children else ""
        acknowledge = Button(act=ActKind.ACKNOWLEDGE, label="Acknowledge", value="1")
        return replace(a_card(f"incident {incident.state}{family}", mentions), buttons=[acknowledge])

    def storm(self, storm: Storm, channel: Channel) -> Card:
        return a_card(f"storm of {storm.incidents}" + (", over" if storm.ended_at else ""))

    def plain(self, text: str, channel: Channel, *, mentions: Sequence[str] = (), about: str = "") -> Card:
        return a_card(f"about it: {text}" if about else text, mentions)


def a_card(title: str, mentions: Sequence[str] = ()) -> Card:
    return Card(title=title, tone=Tone.INFO, fallback=title, mentions=tuple(mentions))


class Given:
    """The channels of a test, in place of those that the settings make."""

    def __init__(self, policy: AlertPolicy, channels: Sequence[Obedient]) -> None:
        self._policy = policy
        self._channels: Mapping[str, Obedient] = {each.name: each for each in channels}

    def get(self, name: str) -> Channel | None:
        return self._channels.get(name)

    def why_not(self, name: str) -> str:
        return "it needs an address" if name in self.names else f"the policy has no channel {name} any more"

    def renew(self) -> None:
        """There are no secrets."""

    @property
    def names(self) -> Sequence[str]:
        return list(self._policy.channels)


class Sending:
    """Everything between what is wanted and the vendor, by a clock that stands still."""

    def __init__(self, database: Database, *channels: Obedient, policy: Mapping[str, Any] | None = None) -> None:
        self.database, self.clock = database, SteppedClock()
        self.policy = AlertPolicy.model_validate(policy or {"channels": CHANNELS})
        self.attempts: list[Attempt] = []
        self.deliveries, self.reports = Deliveries(database), DeliveryReports(database)
        self._channels = channels
        self.delivery = self.a_delivery()
        self.fallbacks = Fallbacks(
            database, self.deliveries, self.clock, policy=lambda: self.policy, trouble=self.delivery.trouble
        )

    def a_delivery(self) -> Delivery:
        """One more, as the next leader has it."""
        given: Any = Given(self.policy, self._channels)
        rendering = Rendering(self.database, Titles())
        return Delivery(self.deliveries, given, rendering, self.clock, on_attempt=self.attempts.append)

    async def incident(self, **fields: Any) -> Incident:
        """One that is stored."""
        now = self.clock.now()
        made = Incident(
            id=uuid4(),
            key=uuid4().hex,
            source=Source.ALERTMANAGER,
            group_key="{}:{}",
            receiver="",
            external_url="",
            labels={"alertname": "Down"},
            annotations={},
            state=IncidentState.FIRING,
            severity=AlertSeverity.CRITICAL,
            opened_at=now,
            changed_at=now,
        )
        return await self.save(None, replace(made, **fields))

    async def becomes(self, before: Incident, state: str) -> Incident:
        """Stored anew, in another state."""
        after = replace(before, state=IncidentState(state), revision=before.revision + 1)
        return await self.save(before, after)

    async def save(self, before: Incident | None, incident: Incident) -> Incident:
        settled = Settled(incident=incident, happenings=(), wanted=(), channels=(), next_at=None)
        async with self.database.begin() as connection:
            await incidents.save(connection, [Saved(before=before, settled=settled)])
        return incident

    async def storm(self, channel: str = "sre", *, incidents: int = 20, over: bool = False, **fields: Any) -> UUID:
        """One that is stored, or stored anew with the `id` that is given."""
        now = self.clock.now()
        ended = now if over else None
        made = {"id": uuid4(), "channel": channel, "started_at": now, "changed_at": now, "ended_at": ended, **fields}
        storm = Storm(incidents=incidents, **made)
        async with self.database.begin() as connection:
            await storms.keep(connection, [storm])
        return storm.id

    async def want(self, kind: str, reason: str, about: Incident | None = None, **fields: Any) -> None:
        """One message more."""
        await self.want_all(self.wanted(kind, reason, about, **fields))

    def wanted(self, kind: str, reason: str, about: Incident | None = None, **fields: Any) -> Wanted:
        incident_id = None if about is None else about.id
        values = {"channel": "sre", "incident_id": incident_id, **fields}
        return Wanted(kind=DeliveryKind(kind), reason=NotifyReason(reason), **values)

    async def want_all(self, *wanted: Wanted) -> None:
        """Of one and the same change."""
        now = self.clock.now()
        async with self.database.begin() as connection:
            await self.deliveries.queue(connection, wanted, received_at=now - timedelta(seconds=1), now=now)

    async def send(self, delivery: Delivery | None = None) -> None:
        """Whatever can be sent at this very moment."""
        for name in self.policy.channels:
            while await (delivery or self.delivery).sender(name).turn() == 0:
                pass

    async def rows(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        return await alert_rows(self.database, sql, **values)

    async def states(self, channel: str = "sre") -> list[str]:
        """Kind and state of each message, in the order of queueing."""
        query = "SELECT kind, state FROM delivery WHERE channel = :channel ORDER BY number"
        return [f"{kind} {state}" for kind, state in await self.rows(query, channel=channel)]
