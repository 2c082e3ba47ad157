"""auto_healing beside health_monitor, as an operator would set them up, and what its ledger says as it happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx

from demo.screen import Screen
from demo.service import AUTO_HEALING, Service, ServiceFailed, free_port, running

POLICY = Path(__file__).parent / "healing-policy.yaml"
GRACE_SECONDS = 1.5  # more than the policy gives owners to object
SWEEP_TRIES = 10
_POLL_SECONDS = 0.3

Entry = dict[str, Any]


@contextlib.asynccontextmanager
async def healing(
    monitor: Service, environment: Mapping[str, str], policy: Path = POLICY, *, tokens: Mapping[str, str] = {}
) -> AsyncIterator[Service]:
    """auto_healing, subscribed to the events of health_monitor, over the same PostgreSQL."""
    port = free_port()
    subscribed = await monitor.post(
        "/api/v1/subscriptions", {"url": f"http://127.0.0.1:{port}/api/v1/events", "description": "auto_healing"}
    )
    settings = {
        "AUTO_HEALING_MONITOR__URL": monitor.url,
        "AUTO_HEALING_MONITOR__TOKEN": monitor.token,
        "AUTO_HEALING_MONITOR__WEBHOOK_SECRETS": subscribed["secret"],
        "AUTO_HEALING_POLICY__FILE": str(policy),
        "AUTO_HEALING_DATABASE__FOLDER": str(monitor.database_folder),
    }
    async with running({**environment, **settings}, AUTO_HEALING, port=port, tokens=tokens) as service:
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
                page = await self._service.get("/api/v1/audit?limit=500")
                self._show([each for each in reversed(page["items"]) if each["seq"] > self._last_seq])
            await asyncio.sleep(_POLL_SECONDS)

    def _show(self, fresh: Sequence[Entry]) -> None:
        """What is said of many objects at once is one line."""
        for _, group in groupby(fresh, key=lambda entry: (entry["event"], entry["action"], entry["guard"])):
            entries = list(group)
            self._screen.ledger(entries[0], others=len(entries) - 1)
        if fresh:
            self._entries += fresh
            self._news.set()

    @property
    def _last_seq(self) -> int:
        return int(self._entries[-1]["seq"]) if self._entries else 0

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


async def sweep(healer: Service, ledger: LedgerTail, rule: str) -> None:
    """What an operator does who will not wait for the schedule: look, look again once owners could object, delete."""
    wanted = {"dry_run": False, "reason": "the demo does not wait for the schedule"}
    for _ in range(SWEEP_TRIES):
        await healer.post(f"/api/v1/cleanup/{rule}/scan", wanted)
        await ledger.has_any({("told", rule)}, seconds=10)
        await asyncio.sleep(GRACE_SECONDS)
        with contextlib.suppress(ServiceFailed):  # nothing is due yet
            await healer.post(f"/api/v1/cleanup/{rule}/run", wanted)
            return
