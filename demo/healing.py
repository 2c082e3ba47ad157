"""auto_healing beside health_monitor, as an operator would set them up, and what its ledger says as it happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Any

import httpx

from demo.screen import Screen
from demo.service import AUTO_HEALING, Service, free_port, running

POLICY = Path(__file__).parent / "healing-policy.yaml"
_POLL_SECONDS = 0.3

Entry = dict[str, Any]


@contextlib.asynccontextmanager
async def healing(monitor: Service, environment: Mapping[str, str]) -> AsyncIterator[Service]:
    """auto_healing, subscribed to the events of health_monitor, over the same PostgreSQL."""
    port = free_port()
    subscribed = await monitor.post(
        "/api/v1/subscriptions", {"url": f"http://127.0.0.1:{port}/api/v1/events", "description": "auto_healing"}
    )
    settings = {
        "AUTO_HEALING_MONITOR__URL": monitor.url,
        "AUTO_HEALING_MONITOR__TOKEN": monitor.token,
        "AUTO_HEALING_MONITOR__WEBHOOK_SECRETS": subscribed["secret"],
        "AUTO_HEALING_POLICY__FILE": str(POLICY),
        "AUTO_HEALING_DATABASE__FOLDER": str(monitor.database_folder),
    }
    async with running({**environment, **settings}, AUTO_HEALING, port=port) as service:
        await service.until("/readyz", lambda body: bool(body["ready"]))
        yield service


class LedgerTail:
    """Shows what the ledger says, and remembers it, so that the story can wait for it."""

    def __init__(self, screen: Screen, service: Service) -> None:
        self._screen = screen
        self._service = service
        self._entries: list[Entry] = []
        self._news = asyncio.Event()

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                page = await self._service.get("/api/v1/audit?limit=200")
                for entry in reversed(page["items"]):
                    if not self._entries or entry["seq"] > self._entries[-1]["seq"]:
                        self._entries.append(entry)
                        self._screen.ledger(entry)
                        self._news.set()
            await asyncio.sleep(_POLL_SECONDS)

    async def has_any(self, answers: Collection[tuple[str, str]], seconds: float) -> bool:
        """Whether an entry of such an event and action came in time, or had come before."""

        def there() -> bool:
            return any((entry["event"], entry["action"]) in answers for entry in self._entries)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not there():
                    self._news.clear()
                    await self._news.wait()
        return there()
