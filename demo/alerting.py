"""alert_service beside the other two, with Slack and Teams as strict stand-ins, and a person who presses buttons."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.monitoring import POSTER, SCRAPER
from demo.screen import Screen
from demo.service import ALERT_SERVICE, Service, free_port, running
from devchat import Chat, Message, process

POLICY = Path(__file__).parent / "alerting-policy.yaml"
TO_HEALING, FROM_HEALING = "demo-alert-service", "demo-auto-healing"
APPROVERS = {"alert-service:approve+delegate": TO_HEALING}  # auto_healing lets it approve in the name of people
_LOOK_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where alert_service will listen, which the others have to know before it does."""

    port: int
    chat: Chat

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def for_healing(self) -> dict[str, str]:
        """auto_healing posts its notices here."""
        return {
            "AUTO_HEALING_ALERTS__URL": self.url,
            "AUTO_HEALING_ALERTS__TOKEN": FROM_HEALING,
        }


@contextlib.asynccontextmanager
async def chatting() -> AsyncIterator[Desk]:
    """Slack and Teams."""
    async with process() as chat:
        yield Desk(port=free_port(), chat=chat)


@contextlib.asynccontextmanager
async def alerting(desk: Desk, monitor: Service, healer: Service, others: Mapping[str, str]) -> AsyncIterator[Service]:
    """alert_service, subscribed to the events of health_monitor; `others` are settings more."""
    chat = desk.chat
    await chat.change(interactivity_url=f"{desk.url}/api/v1/slack/interactivity", crawl=desk.url)
    subscribed = await monitor.post(
        "/api/v1/subscriptions", {"url": f"{desk.url}/api/v1/webhooks/health", "description": "alert_service"}
    )
    settings = {
        "ALERT_SERVICE_POLICY__FILE": str(POLICY),
        "ALERT_SERVICE_CLUSTER": "demo",
        "ALERT_SERVICE_DATABASE__FOLDER": str(monitor.database_folder),
        "ALERT_SERVICE_SLACK__API_URL": chat.slack_api_url,
        "ALERT_SERVICE_SLACK__TOKEN": chat.settings.token,
        "ALERT_SERVICE_SLACK__SIGNING_SECRET": chat.settings.signing_secret,
        "ALERT_SERVICE_CHANNELS__URLS": json.dumps({"teams-ops": chat.workflow_url("ops")}),
        "ALERT_SERVICE_LINKS__URL": desk.url,
        "ALERT_SERVICE_HEALTH__URL": monitor.url,
        "ALERT_SERVICE_HEALTH__TOKEN": monitor.token,
        "ALERT_SERVICE_HEALTH__WEBHOOK_SECRETS": subscribed["secret"],
        "ALERT_SERVICE_HEALING__URL": healer.url,
        "ALERT_SERVICE_HEALING__TOKEN": TO_HEALING,
    }
    tokens = {"auto-healing:operate": FROM_HEALING, **POSTER, **SCRAPER}
    async with running({**settings, **others}, ALERT_SERVICE, port=desk.port, tokens=tokens) as service:
        await service.until("/readyz", lambda body: bool(body["ready"]))
        yield service


async def by_prometheus(alerts: Service, node: str) -> str:
    """What Prometheus and Alertmanager say about a node, and how it is told, in one line. Raises ServiceFailed."""

    def theirs(body: Any) -> list[Any]:
        return [each for each in body["items"] if each["source"] == "alertmanager"]

    found = theirs(await alerts.until(f"/api/v1/incidents?kind=Node&name={node}", lambda body: bool(theirs(body))))[0]
    if found["parent_id"] is None:
        return f"{found['title']} has a card of its own"
    parent = await alerts.get(f"/api/v1/incidents/{found['parent_id']}")
    return f"{found['title']} is told with {parent['incident']['title']}"


class ChatTail:
    """Shows what people read, and presses two of their buttons for them: the first card is acknowledged, and what
    healing asks is approved."""

    def __init__(self, screen: Screen, chat: Chat) -> None:
        self._screen = screen
        self._chat = chat
        self._acknowledged = False
        self._approved: set[str] = set()

    @property
    def acted(self) -> bool:
        """Whether a card was acknowledged, and a healing approved."""
        return self._acknowledged and bool(self._approved)

    async def follow(self) -> None:
        """Until cancelled."""
        after = 0
        while True:
            for message in await self._chat.messages(after=after):
                after = max(after, message.number)
                if not message.deleted:
                    await self._read(message)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _read(self, message: Message) -> None:
        again, below = message.versions > 1, bool(message.thread)
        self._screen.chat(message.vendor, message.channel, _headline(message), again=again, below=below)
        labels = set(_buttons(message))
        if "Approve healing" in labels and message.id not in self._approved:
            self._approved.add(message.id)
            await self._press(message, "Approve healing")
        elif "Acknowledge" in labels and not self._acknowledged and message.vendor == "slack":
            self._acknowledged = True
            await self._press(message, "Acknowledge")

    async def _press(self, message: Message, button: str) -> None:
        self._screen.step(f"Ana presses {button} in #{message.channel}")
        press = await self._chat.press(message, button)
        self._screen.step(f"answered in {press.seconds * 1000:.0f} ms")


def _headline(message: Message) -> str:
    """What a phone shows of it."""
    card = next((each.get("text", "") for each in message.card.get("body", []) if each["type"] == "TextBlock"), "")
    return (message.text or card).splitlines()[0] if message.text or card else "(a card)"


def _buttons(message: Message) -> list[str]:
    """The labels of what can be pressed in a message of Slack."""
    elements = [each for block in message.all_blocks for each in block.get("elements", []) if each["type"] == "button"]
    return [each["text"]["text"] for each in elements]
