"""How many posts of Alertmanager one core stores: each is on the disk before it is answered, as a kill proves."""

import asyncio
import re
import statistics
from random import Random

import psycopg
from demo.service import ALERT_SERVICE, Service, running

from bench.alert_posts import Answered, Load, posted
from bench.figure import Benchmark, Figure
from bench.postgres import temporary_postgres
from bench.processes import cpu_seconds
from bench.watched import eventually

POSTS, ALERTS = "alerts.stored_rate", "alerts.stored_rate.alerts"
ALERTS_IN_A_POST, CONNECTIONS = 20, 32
STARTS_SECONDS = 120.0
_POSTS_TO_KILL_AMID = 3_000  # more than any machine stores before the kill
_NUMBER = re.compile(rb'"groupKey": "\{\}:\{number=\\"(\d+)\\"\}"')


async def run(quick: bool) -> list[Figure]:
    rounds, posts = (1, 300) if quick else (3, 4_000)
    async with temporary_postgres() as database:
        environment = {"ALERT_SERVICE_DATABASE__URL": database}
        async with running(environment, ALERT_SERVICE) as one, running(environment, ALERT_SERVICE) as other:
            await eventually(lambda: _leads(one, other), STARTS_SECONDS)
            service = other if await _metric(one, "leader") else one
            await _round(service, 50, 10_000_000)  # connections and statements are there
            measured = [await _round(service, posts, number * posts) for number in range(rounds)]
            killed = await _killed(service, max(posts, _POSTS_TO_KILL_AMID), rounds * posts)
        stored = await asyncio.to_thread(_stored, database)
    answered = [number for each, _ in measured for number in each.numbers] + killed.numbers
    if lost := set(answered) - stored:
        raise RuntimeError(f"{len(lost)} of {len(answered)} posts that were answered with 200 are not stored")
    return _figures(measured, killed)


async def _round(service: Service, posts: int, first: int) -> tuple[Answered, float]:
    """What was answered, and the CPU that the service took meanwhile."""
    before = cpu_seconds(service.pid)
    load = Load(posts=posts, alerts=ALERTS_IN_A_POST, connections=CONNECTIONS, first=first)
    answered = await posted(service.url, service.token, load)
    if answered.refused or answered.broken:
        raise RuntimeError(f"{answered.refused} posts were refused, {answered.broken} not answered")
    return answered, cpu_seconds(service.pid) - before


async def _killed(service: Service, posts: int, first: int) -> Answered:
    """The service is killed somewhere amid the posts."""
    load = Load(posts=posts, alerts=ALERTS_IN_A_POST, connections=CONNECTIONS, first=first)
    client = asyncio.create_task(posted(service.url, service.token, load))
    received = 'received_total{source="alertmanager"}'
    before = await _metric(service, received)
    while await _metric(service, received) < before + posts / 10:
        await asyncio.sleep(0.02)
    await asyncio.sleep(Random().uniform(0, 0.5))
    await service.kill()
    answered = await client
    if not answered.numbers or not answered.broken:
        raise RuntimeError("the service was not killed amid the posts")
    return answered


async def _leads(*replicas: Service) -> bool:
    """Whether one of them does, and all are ready."""
    for each in replicas:
        await each.until("/readyz", lambda body: bool(body["ready"]))
    return sum([await _metric(each, "leader") for each in replicas]) == 1


async def _metric(service: Service, series: str) -> float:
    found = re.search(rf"^alert_service_{re.escape(series)} (\S+)$", await service.text("/metrics"), re.MULTILINE)
    return float(found[1]) if found else 0.0


def _stored(database: str) -> set[int]:
    """The numbers of all posts in the database."""
    with psycopg.connect(database) as connection, connection.cursor(name="bodies") as cursor:
        cursor.execute("SELECT body FROM alerts.inbox")
        return {int(found[1]) for (body,) in cursor if (found := _NUMBER.search(bytes(body)))}


def _figures(measured: list[tuple[Answered, float]], killed: Answered) -> list[Figure]:
    rates = [len(each.numbers) / cpu for each, cpu in measured]
    by_the_clock = statistics.median(len(each.numbers) / each.lasted for each, _ in measured)
    conditions = (
        f"{sum(len(each.numbers) for each, _ in measured):,} posts of {ALERTS_IN_A_POST} alerts over {CONNECTIONS} "
        f"connections, each answered once it is stored, by a replica of one process, while another one leads and makes "
        f"incidents of them; per second of own CPU; {by_the_clock:.0f} posts/s by the clock, with the other replica, "
        f"the client and PostgreSQL (every commit on the disk) on the same machine; killed with SIGKILL amid further "
        f"posts: all {len(killed.numbers):,} that it had answered are there"
    )
    return [
        Figure(
            id=POSTS,
            what="posts of Alertmanager stored and answered, one core",
            unit="posts/s",
            target=400,
            better="higher",
            runs=rates,
            conditions=conditions,
        ),
        Figure(
            id=ALERTS,
            what="alerts stored and answered, one core",
            unit="alerts/s",
            target=8_000,
            better="higher",
            runs=[rate * ALERTS_IN_A_POST for rate in rates],
            conditions=conditions,
        ),
    ]


BENCHMARK = Benchmark(
    id=POSTS, title="posts stored before they are answered, and a kill amid them", run=run, family=(POSTS, ALERTS)
)
