"""A generic webhook: cards as JSON, signed as Standard Webhooks says, for whatever else people are told by.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import httpx

from alert_service.cards.card import Card
from alert_service.cards.dialects.plain import PLAIN
from alert_service.channels import posting
from alert_service.channels.channel import Abilities, Buttons, Message, Receipt
from common.web.signatures import SIGNATURE, sign

ABILITIES = Abilities(updates=False, threads=False, buttons=Buttons.LINKS)
TYPE = "k8s-health-checker.card.v1"


class Webhook:
    """One receiver. With several secrets each message has a signature of each, while they are rotated."""

    kind = "webhook"
    abilities = ABILITIES
    dialect = PLAIN

    def __init__(
        self,
        name: str,
        http: httpx.AsyncClient,
        *,
        url: str,
        secrets: Sequence[str],
        now: Callable[[], datetime],
    ) -> None:
        self.name = name
        self._http = http
        self._url = url
        self._secrets = secrets
        self._now = now

    async def send(self, message: Message) -> Receipt:
        """A receiver knows a repetition by the header webhook-id."""
        now = self._now()
        body = json.dumps(_content(message, now), separators=(",", ":"), ensure_ascii=False).encode()
        signed = [sign(secret, message.delivery_id, now, body) for secret in self._secrets]
        headers = {**signed[0], SIGNATURE: " ".join(each[SIGNATURE] for each in signed)}
        posting.check(await posting.post(self._http, self._url, body, headers))
        return Receipt(posted=True)

    async def close(self) -> None:
        """`http` is closed by whoever made it."""


def _content(message: Message, now: datetime) -> dict[str, Any]:
    about = {"id": message.delivery_id, "incident_id": message.incident_id or None, "reason": message.reason or None}
    return {"type": TYPE, "timestamp": now.isoformat(), "data": {**about, **_card(message.card)}}


def _card(card: Card) -> dict[str, Any]:
    buttons = [{"act": each.act, "label": each.label, "url": each.url} for each in card.buttons if each.url]
    return {
        "title": card.title,
        "tone": card.tone,
        "summary": card.fallback,
        "status": card.status,
        "body": card.body,
        "facts": [{"label": each.label, "value": each.value} for each in card.facts],
        "lines": list(card.lines),
        "footer": card.footer,
        "mentions": list(card.mentions),
        "links": buttons,
        "error": card.error,
    }
