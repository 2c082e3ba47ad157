"""Ten thousand different alerts within a minute: what two channels of Slack hear of it, and what it takes."""

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import psycopg
from demo.service import Service

from bench.alert_posts import Answered, Load, posted
from bench.alerting import alerting, conversations
from bench.figure import Benchmark, Figure, percentile
from bench.postgres import temporary_postgres
from bench.processes import resident_mib
from devchat import Chat, process
from devchat.record import Message
from devchat.settings import Settings

MEMORY, CARDS = "alerts.storm", "alerts.storm.cards"
CHANNELS = ("sre", "platform")
CONNECTIONS, WARM_POSTS = 16, 300
WITHIN_SECONDS = 60.0
SETTLED_SECONDS = 300.0
LOOK_SECONDS = 0.5
_STORM = re.compile(r"Storm: (\d+) incidents")


@dataclass(frozen=True, slots=True)
class Storm:
    """One that is told to the end."""

    answered: Answered
    worked_seconds: float  # after the last answer, until all of it had taken effect
    told_seconds: float  # and until the cards said so
    memory: list[float]  # MiB, from look to look
    messages: list[Message]


async def run(quick: bool) -> list[Figure]:
    posts, seconds = (600, 10.0) if quick else (10_000, WITHIN_SECONDS)
    async with (
        temporary_postgres() as database,
        process(Settings(channels=CHANNELS)) as chat,
        alerting(database, chat, _policy()) as service,
    ):
        await _warm(service, database)
        return _figures(await _storm(service, database, chat, posts, seconds), posts, seconds)


def _policy() -> dict[str, object]:
    routes = [
        {"name": "nobody", "match": ['alertname="Warm"'], "channels": []},
        {"name": "all", "channels": list(CHANNELS)},
    ]
    return {"version": 1, "channels": conversations(*CHANNELS), "routes": routes}


async def _warm(service: Service, database: str) -> None:
    """One batch of every size: what is imported and compiled then is none of the storm's. Nobody is told of it."""
    load = Load(posts=WARM_POSTS, alerts=1, connections=CONNECTIONS, first=10_000_000, alertname="Warm")
    await posted(service.url, service.token, load)
    await _drained(database)


async def _storm(service: Service, database: str, chat: Chat, posts: int, seconds: float) -> Storm:
    load = Load(posts=posts, alerts=1, connections=CONNECTIONS, per_second=posts / seconds)
    async with _watching(service.pid) as memory:
        answered = await posted(service.url, service.token, load)
        ended = time.monotonic()
        await _drained(database)
        worked = time.monotonic() - ended
        messages = await _told(chat, database)
        told = time.monotonic() - ended
    if len(answered.numbers) != posts:
        raise RuntimeError(f"{len(answered.numbers)} of {posts} posts were answered with 200")
    opened = await asyncio.to_thread(_count, database, "SELECT count(*) FROM alerts.incident")
    if opened != posts + WARM_POSTS:
        raise RuntimeError(f"{opened - WARM_POSTS} of {posts} incidents were opened")
    return Storm(answered, worked, told, memory, messages)


@contextlib.asynccontextmanager
async def _watching(pid: int) -> AsyncIterator[list[float]]:
    """The resident memory, from look to look."""
    memory = [resident_mib(pid)]

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            memory.append(resident_mib(pid))

    looking = asyncio.create_task(look())
    try:
        yield memory
    finally:
        looking.cancel()


async def _drained(database: str) -> None:
    """Until everything that was stored has taken effect."""
    async with asyncio.timeout(SETTLED_SECONDS):
        while await asyncio.to_thread(_count, database, "SELECT count(*) FROM alerts.inbox WHERE done_at IS NULL"):
            await asyncio.sleep(0.2)


def _count(database: str, query: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


async def _told(chat: Chat, database: str) -> list[Message]:
    """All messages, once the storm cards say how many there were: Slack lets them be changed now and then only."""
    counted = await asyncio.to_thread(_count, database, "SELECT max(incidents) FROM alerts.storm")
    async with asyncio.timeout(SETTLED_SECONDS):
        while True:
            messages = await chat.messages()
            storms = [found for each in messages if (found := _STORM.search(each.text))]
            if len(storms) >= len(CHANNELS) and all(int(found[1]) == counted for found in storms):
                return messages
            await asyncio.sleep(1)


def _figures(storm: Storm, posts: int, seconds: float) -> list[Figure]:
    cards = Counter(each.channel for each in storm.messages if _is_of_storm(each) and not each.thread)
    others = Counter(each.channel for each in storm.messages if not _is_of_storm(each) and not each.thread)
    replies = Counter(each.channel for each in storm.messages if each.thread)
    if not all(others[channel] < 20 for channel in CHANNELS):
        raise RuntimeError(f"cards of single incidents: {dict(others)}, where a storm begins with the 20th")
    conditions = (
        f"{posts:,} incidents of one alert each, within {seconds:.0f} s, on {len(CHANNELS)} Slack channels with "
        f"Slack's limits; answered after {percentile(storm.answered.seconds, 99) * 1000:.0f} ms (p99); after the last "
        f"answer {storm.worked_seconds:.1f} s until all took effect, {storm.told_seconds:.0f} s until cards said so; "
        f"each channel had {min(others.values(), default=0)} to "
        f"{max(others.values(), default=0)} cards before the storm was one, and {min(replies.values(), default=0)} to "
        f"{max(replies.values(), default=0)} replies below the storm's card; resident memory before: "
        f"{storm.memory[0]:.0f} MiB"
    )
    return [
        Figure(
            id=MEMORY,
            what=f"growth of memory in a storm of {posts:,} alerts",
            unit="MiB",
            target=64,
            better="lower",
            runs=[max(storm.memory) - storm.memory[0]],
            conditions=conditions,
        ),
        Figure(
            id=CARDS,
            what="live storm cards on a channel",
            unit="cards",
            target=1,
            better="lower",
            runs=[float(cards[channel]) for channel in CHANNELS],
            value=float(max(cards[channel] for channel in CHANNELS)),
            conditions=conditions,
        ),
    ]


def _is_of_storm(message: Message) -> bool:
    return _STORM.search(message.text) is not None


BENCHMARK = Benchmark(id=MEMORY, title="ten thousand different alerts within a minute", run=run, family=(MEMORY, CARDS))
