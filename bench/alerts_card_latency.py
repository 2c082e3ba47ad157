"""How soon a card is there: alerts are posted one by one, as Alertmanager posts them, and Slack's stand-in says when it
took the card. The service is a process of its own over a PostgreSQL that keeps every commit."""

import asyncio
import re
import time
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx

from bench.alerting import alerting, conversations
from bench.figure import Benchmark, Figure, percentile, split
from bench.postgres import temporary_postgres
from devchat import Chat, process
from devchat.settings import Settings

P50, P99 = "alerts.card_latency.p50", "alerts.card_latency.p99"
CHANNELS = tuple(f"team-{number}" for number in range(10))
# No storm: the tenth of it on each channel stays below the policy's 20 incidents in a minute.
PER_SECOND = 2.5
ARRIVES_SECONDS = 60.0
_NAMED = re.compile(r"Slow-(\d+)-end")


async def run(quick: bool) -> list[Figure]:
    count = 25 if quick else 300
    async with (
        temporary_postgres() as database,
        process(Settings(channels=CHANNELS)) as chat,
        alerting(database, chat, _policy()) as service,
    ):
        credential = {"Authorization": f"Bearer {service.token}"}
        async with httpx.AsyncClient(base_url=service.url, headers=credential, timeout=30) as http:
            await _first(http, chat)
            seconds = await _measured(http, chat, count)
    return _figures(seconds)


def _policy() -> dict[str, Any]:
    routes = [{"name": name, "match": [f'team="{name}"'], "channels": [name]} for name in CHANNELS]
    return {"version": 1, "channels": conversations(*CHANNELS), "routes": routes}


async def _first(http: httpx.AsyncClient, chat: Chat) -> None:
    """Until somebody leads nothing is sent: it is waited for, and not measured."""
    await _post(http, 0)
    await _arrived(chat, {0})


async def _measured(http: httpx.AsyncClient, chat: Chat, count: int) -> list[float]:
    """From the post to its card, in seconds, in the order of posts. The posts come at random, so that they fall into
    any moment of whatever is polled."""
    luck, sent = Random(1), {}
    for number in range(1, count + 1):
        await asyncio.sleep(luck.expovariate(PER_SECOND))
        sent[number] = time.time()
        await _post(http, number)
    taken = await _arrived(chat, set(sent))
    return [taken[number] - at for number, at in sent.items()]


async def _post(http: httpx.AsyncClient, number: int) -> None:
    labels = {"alertname": f"Slow-{number}-end", "team": CHANNELS[number % len(CHANNELS)], "severity": "warning"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "answers take too long"},
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
    }
    body = {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="Slow-{number}-end"}}',
        "status": "firing",
        "receiver": "alert-service",
        "alerts": [alert],
    }
    (await http.post("/api/v1/webhooks/alertmanager", json=body)).raise_for_status()


async def _arrived(chat: Chat, numbers: set[int]) -> dict[int, float]:
    """When the first request with each of them was taken, by this machine's clock."""
    taken: dict[int, float] = {}
    deadline = time.monotonic() + ARRIVES_SECONDS
    while numbers - taken.keys():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(numbers - taken.keys())} cards never came")
        for each in await chat.exchanges("slack.chat.postMessage"):
            if '"ok": true' in each.answer and (found := _NAMED.search(each.body)):
                taken.setdefault(int(found[1]), each.at)
        await asyncio.sleep(0.2)
    return taken


def _figures(seconds: list[float]) -> list[Figure]:
    conditions = (
        f"{len(seconds)} incidents, {PER_SECOND} a second at random times over {len(CHANNELS)} Slack channels, each a "
        "post of one alert; PostgreSQL with fsync; the vendor's stand-in in a process of its own, with its limits"
    )
    runs = split(seconds, 5)
    return [
        Figure(
            id=P50,
            what="from Alertmanager's post to the card taken by Slack, half of them within",
            unit="ms",
            target=300,
            better="lower",
            runs=[percentile(each, 50) * 1000 for each in runs],
            value=percentile(seconds, 50) * 1000,
            conditions=conditions,
        ),
        Figure(
            id=P99,
            what="from Alertmanager's post to the card taken by Slack, 99 in 100 within",
            unit="ms",
            target=2000,
            better="lower",
            runs=[percentile(each, 99) * 1000 for each in runs],
            value=percentile(seconds, 99) * 1000,
            conditions=conditions,
        ),
    ]


BENCHMARK = Benchmark(
    id="alerts.card_latency",
    title="how soon a card is there",
    run=run,
    family=(P50, P99),
)
