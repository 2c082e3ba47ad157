"""Makes the card of a claim when it is sent, of what it is about as that is now: so messages that waited tell no
old news."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.cards import build
from alert_service.cards.card import Card
from alert_service.cards.templates import NAMES, Templates
from alert_service.channels.channel import Channel
from alert_service.clicks.links import LinkSigner
from alert_service.delivery.sending import Claim
from alert_service.incidents.incident import Incident
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.storm import Storm
from alert_service.routing.wanted import DeliveryKind, NotifyReason
from alert_service.storage import incidents, storms
from alert_service.storage.models import incident as table
from common.clock import Clock
from common.database.connections import Database
from common.logs import Complaint

logger = logging.getLogger(__name__)

_LONGEST_LINE, _MOST_CHARACTERS = 1_000, 2_500  # of a message that is made of many lines
_CHILDREN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """`card` is None when what it is about is gone; `goes_on` is False when that is over."""

    card: Card | None
    goes_on: bool = True
    revision: int | None = None  # of the incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Relatives:
    """Titles of the incident that explains this one, and of those that this one explains."""

    parent: str = ""
    children: Sequence[str] = ()


NO_RELATIVES = Relatives()


class Cards(Protocol):
    """Makes cards in a channel's own dialect. Mentions are names of the policy's people."""

    def incident(
        self, incident: Incident, channel: Channel, *, mentions: Sequence[str] = (), relatives: Relatives = NO_RELATIVES
    ) -> Card: ...

    def storm(self, storm: Storm, channel: Channel) -> Card: ...

    def plain(self, text: str, channel: Channel, *, mentions: Sequence[str] = (), about: str = "") -> Card:
        """A message of its own, or a line below a card. `about`: the title of what it is about."""


class PolicyCards:
    """Cards as the policy that holds has them: its people, its templates. Without `links` no button is a link.

    `on_template_failed` is told the name of each template that could not be used for a card.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
        links: LinkSigner | None,
        on_template_failed: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._links = links
        self._on_template_failed = on_template_failed
        self._complaints = {name: Complaint(logger, clock) for name in NAMES}
        self._templates: tuple[str, Templates] | None = None

    @property
    def templates(self) -> Templates:
        """Of the policy's folder, read anew when that is another one."""
        folder = self._policy().templates
        if self._templates is None or self._templates[0] != folder:
            self._templates = (folder, Templates(Path(folder) if folder else None, on_failure=self._failed))
        return self._templates[1]

    def _failed(self, name: str, why: str) -> None:
        self._on_template_failed(name)
        self._complaints[name].warn(f"cards are made without your template: {why}")

    def incident(
        self, incident: Incident, channel: Channel, *, mentions: Sequence[str] = (), relatives: Relatives = NO_RELATIVES
    ) -> Card:
        now = self._clock.now()
        return build.incident_card(
            incident,
            self._policy(),
            channel.dialect,
            buttons=channel.abilities.buttons,
            link=None if self._links is None else self._links.for_channel(channel.name, now),
            now=now,
            templates=self.templates,
            parent=relatives.parent,
            children=relatives.children,
            mentions=mentions,
        )

    def storm(self, storm: Storm, channel: Channel) -> Card:
        return build.storm_card(storm, channel.dialect, now=self._clock.now(), templates=self.templates)

    def plain(self, text: str, channel: Channel, *, mentions: Sequence[str] = (), about: str = "") -> Card:
        return build.plain_card(
            text, self._policy(), channel.dialect, templates=self.templates, about=about, mentions=mentions
        )


class Rendering:
    """Loads what a claim is about, and has its card made."""

    def __init__(self, database: Database, cards: Cards) -> None:
        self._database = database
        self._cards = cards

    async def of(self, claim: Claim, channel: Channel) -> Rendered:
        """Raises DatabaseError."""
        if claim.storm_id is not None:
            return await self._storm(claim, claim.storm_id, channel)
        if claim.kind is DeliveryKind.DIGEST:
            many = len(claim.texts)
            about = f"Digest: {many} incident{'s' if many != 1 else ''} that can wait"
            return Rendered(card=self._cards.plain(_text(claim), channel, about=about))
        if claim.incident_id is None:
            return Rendered(card=self._cards.plain(_text(claim), channel, mentions=claim.mentions))
        return await self._incident(claim, claim.incident_id, channel)

    async def _storm(self, claim: Claim, storm_id: UUID, channel: Channel) -> Rendered:
        async with self._database.begin() as connection:
            storm = await storms.get(connection, storm_id)
        if storm is None:
            return Rendered(card=None)
        if claim.kind is DeliveryKind.STORM:
            card = _with_note(self._cards.storm(storm, channel), claim, channel)
        else:
            card = self._cards.plain(_text(claim), channel)
        return Rendered(card=card, goes_on=storm.ended_at is None)

    async def _incident(self, claim: Claim, incident_id: UUID, channel: Channel) -> Rendered:
        is_card = claim.kind is DeliveryKind.CARD
        async with self._database.begin() as connection:
            incident = (await incidents.by_ids(connection, [incident_id], lock=False)).get(incident_id)
            if incident is None:
                return Rendered(card=None)
            relatives = await _relatives(connection, incident) if is_card else NO_RELATIVES
        if is_card:
            card = self._cards.incident(incident, channel, mentions=claim.mentions, relatives=relatives)
            card = _with_note(card, claim, channel)
        else:
            below = claim.kind is DeliveryKind.REPLY and claim.at is not None and channel.abilities.threads
            about = "" if below else incident.title
            card = self._cards.plain(_text(claim), channel, mentions=claim.mentions, about=about)
        return Rendered(card=card, goes_on=incident.open, revision=incident.revision)


async def _relatives(connection: AsyncConnection, incident: Incident) -> Relatives:
    """A card has room for some children only."""
    columns = table.c
    title_of_parent = select(columns.title).where(columns.id == incident.parent_id)
    open_below = select(columns.title).where(columns.parent_id == incident.id, incidents.OPEN)
    parent = None if incident.parent_id is None else await connection.scalar(title_of_parent)
    children = await connection.scalars(open_below.order_by(columns.opened_at).limit(_CHILDREN))
    return Relatives(parent=parent or "", children=children.all())


def _with_note(card: Card, claim: Claim, channel: Channel) -> Card:
    """A card that stands in for another says why."""
    if claim.reason is not NotifyReason.FALLBACK or not claim.texts:
        return card
    note = channel.dialect.escape(claim.texts[0])
    return replace(card, footer="\n".join(filter(None, (note, card.footer))))


def _text(claim: Claim) -> str:
    """All that is told with it, within limits: the oldest first, and how much more there is."""
    lines = [line[:_LONGEST_LINE] for text in claim.texts for line in text.splitlines()]
    kept, length = 0, 0
    while kept < len(lines) and length + len(lines[kept]) <= _MOST_CHARACTERS:
        length += len(lines[kept]) + 1
        kept += 1
    more = [f"and {len(lines) - kept} lines more"] if kept < len(lines) else []
    return "\n".join([*lines[:kept], *more])
