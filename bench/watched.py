"""The service over a benchmark's cluster, once it leads, and when its events arrive at a client."""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from demo.service import Service, running

from bench.changes import Fault, Key
from bench.clusters import environment
from devcluster import DevCluster

READY_SECONDS = 300.0
ARRIVAL_SECONDS = 60.0


@contextlib.asynccontextmanager
async def standing_by(cluster: DevCluster, settings: Mapping[str, str] | None = None) -> AsyncIterator[Service]:
    """A service process that has scored every object; whether it leads is another question."""
    async with running({**environment(cluster), **(settings or {})}) as service:
        await service.until("/api/v1/cluster", lambda body: "score" in body, READY_SECONDS)
        yield service


@contextlib.asynccontextmanager
async def watched(cluster: DevCluster, settings: Mapping[str, str] | None = None) -> AsyncIterator[Service]:
    """A service process that has scored every object, and stores events."""
    async with standing_by(cluster, settings) as service:
        await eventually(lambda: leads(service), READY_SECONDS)
        yield service


async def leads(service: Service) -> bool:
    return await sample(service, "health_monitor_leader") == 1


async def sample(service: Service, name: str) -> float:
    """A metric without labels, as it is exposed now."""
    found = re.search(rf"^{name} (\S+)$", await service.text("/metrics"), re.MULTILINE)
    if not found:
        raise RuntimeError(f"the service has no metric {name}")
    return float(found[1])


async def eventually(condition: Callable[[], object], seconds: float) -> None:
    """Asks a function, or a coroutine function, until it says yes. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.05)


@dataclass(slots=True)
class Arrivals:
    """When the event that opened a finding came out of the stream, in seconds since 1970."""

    opened: dict[Key, float] = field(default_factory=dict)

    async def all_of(self, faults: Sequence[Fault]) -> list[float]:
        """The arrival of each. Raises RuntimeError when one is not told within a minute: an event was lost."""
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: all(fault.key in self.opened for fault in faults), ARRIVAL_SECONDS)
        lost = [fault.key for fault in faults if fault.key not in self.opened]
        if lost:
            raise RuntimeError(f"{len(lost)} of {len(faults)} faults were not told, such as {lost[0]}")
        return [self.opened[fault.key] for fault in faults]


@contextlib.asynccontextmanager
async def arriving(service: Service) -> AsyncIterator[Arrivals]:
    """Listens to the event stream. An event is sent there when it is stored, so it is stored when it arrives."""
    arrivals, connected = Arrivals(), asyncio.Event()
    listening = asyncio.create_task(_listen(service, arrivals, connected))
    try:
        async with asyncio.timeout(30):
            await connected.wait()
        yield arrivals
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _listen(service: Service, arrivals: Arrivals, connected: asyncio.Event) -> None:
    headers = {"Authorization": f"Bearer {service.token}"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(service.url, headers=headers, timeout=timeout) as http,
        http.get("/api/v1/stream", params={"what": "events"}) as answer,
    ):
        answer.raise_for_status()
        async for line in answer.content:
            connected.set()
            if line.startswith(b"data:"):
                _note(json.loads(line[5:]), arrivals)


def _note(event: dict[str, Any], arrivals: Arrivals) -> None:
    at, data = time.time(), event["data"]
    if data["change"] == "opened":
        finding = data["finding"]
        found = finding["object"]
        key = (finding["code"], found["kind"], found.get("namespace", ""), found["name"])
        arrivals.opened.setdefault(key, at)
