"""Old events go, old scores grow coarse, partitions are there before they are needed; nobody is misled by it."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.clock import NOON, SteppedClock
from tests.support.health_database import an_event, claim, health_target, rows, run_until_done, scalar
from tests.support.waiting import eventually

from common.contracts import ObjectKey
from common.database.connections import Database
from common.database.settings import DatabaseSettings
from health_monitor.storage.buffer import Batch, ScorePoint
from health_monitor.storage.events import EventLog, Expired
from health_monitor.storage.history import Point, ScoreHistory
from health_monitor.storage.partitions import Partition, Partitioned, create, existing
from health_monitor.storage.publish import Outbox
from health_monitor.storage.retention import Retention
from health_monitor.storage.writer import store
from health_monitor.webhooks.subscriptions import NewSubscription, Subscriptions

pytestmark = pytest.mark.database

CLUSTER = ObjectKey("Cluster", "", "")
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


async def keep_scores(
    database: Database, scores: Iterable[tuple[datetime, float | None]], key: ObjectKey = CLUSTER
) -> None:
    points = tuple(ScorePoint(key, at, value, value) for at, value in scores)
    async with database.begin() as connection:
        await create(connection, sorted({Partition.holding(Partitioned.SCORE, point.at) for point in points}))
    epoch = await scalar(database, "SELECT epoch FROM stream")
    async with database.begin() as connection:
        await store(connection, Batch(uuid4(), epoch, NOON, (), points), "/clusters/test")


async def partitions(database: Database, table: Partitioned) -> list[str]:
    async with database.begin() as connection:
        return [each.name for each in await existing(connection, table)]


async def test_partitions_are_made_ahead(database: Database) -> None:
    await Retention(database, SteppedClock()).once(datetime(2026, 12, 30, tzinfo=NOON.tzinfo))
    assert await partitions(database, Partitioned.EVENT) == ["event_y2026m12", "event_y2027m01"]
    assert await partitions(database, Partitioned.DELIVERY) == ["delivery_y2026m12", "delivery_y2027m01"]
    assert await partitions(database, Partitioned.SCORE) == [
        "score_y2026m12d30",
        "score_y2026m12d31",
        "score_y2027m01d01",
        "score_y2027m01d02",
    ]


async def test_old_events_go_with_their_deliveries_and_consumers_that_missed_them_are_told(database: Database) -> None:
    clock = SteppedClock(NOON)
    outbox = Outbox(database, clock, source="/clusters/test")
    outbox.lead(await claim(database))
    running = asyncio.create_task(outbox.run())
    await Subscriptions(database, clock).create(NewSubscription(url="http://127.0.0.1:9/"))
    for name in ("march", "april", "may"):
        outbox.put([an_event(f"{name}-{number}") for number in range(3)])
        assert await outbox.flush(60)
        clock.step(timedelta(days=31))
    await run_until_done(running)
    log, retention = EventLog(database), Retention(database, clock, event_days=30)

    await retention.once(datetime(2026, 4, 30, 23, tzinfo=NOON.tzinfo))
    assert (await log.read(0)).events[0].cursor == 1, "a month goes when its last day is old enough"

    await retention.once(datetime(2026, 5, 1, 0, 0, 1, tzinfo=NOON.tzinfo))
    assert [event.cursor for event in (await log.read()).events] == [4, 5, 6, 7, 8, 9]
    assert [event.cursor for event in (await log.read(3)).events] == [4, 5, 6, 7, 8, 9]
    with pytest.raises(Expired):
        await log.read(2)
    assert await scalar(database, "SELECT min(cursor) FROM delivery") == 4
    assert "event_y2026m03" not in await partitions(database, Partitioned.EVENT)


async def test_scores_are_thinned_with_age_to_the_last_and_the_lowest_of_each_bucket(database: Database) -> None:
    start = datetime(2026, 3, 1, tzinfo=NOON.tzinfo)
    changes = [(start + 7 * SECOND * number, float(number * 37 % 101)) for number in range(6 * 3600 // 7)]
    await keep_scores(database, changes)
    retention = Retention(database, SteppedClock())

    async def read(step: timedelta) -> list[Point]:
        return await ScoreHistory(database).read(CLUSTER, start, start + 6 * HOUR, step)

    by_minute, by_hour = await read(MINUTE), await read(HOUR)
    await retention.once(start + 2 * DAY - SECOND)
    assert await scalar(database, "SELECT count(*) FROM score") == len(changes), "in full for a day"

    await retention.once(start + 2 * DAY)
    assert await scalar(database, "SELECT count(*) FROM score") == 6 * 60 + 1  # the first one lies on the minute
    assert (await read(MINUTE), await read(HOUR)) == (by_minute, by_hour)

    await retention.once(start + 8 * DAY)
    await retention.once(start + 8 * DAY + HOUR)
    assert await scalar(database, "SELECT count(*) FROM score") == 6 + 1
    assert await read(HOUR) == by_hour


async def test_after_a_month_scores_go_but_what_still_holds_is_kept(database: Database) -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=NOON.tzinfo)
    steady, moved, gone = (ObjectKey("Node", "", name) for name in ("steady", "moved", "gone"))
    await keep_scores(database, [(start, 40.0)], steady)
    await keep_scores(database, [(start, 50.0), (start + 20 * DAY, 60.0)], moved)
    await keep_scores(database, [(start, 70.0), (start + HOUR, None)], gone)
    retention = Retention(database, SteppedClock())
    for days in range(1, 46, 4):  # each time the partitions of the days in between are made
        await retention.once(start + days * DAY)

    now = start + 45 * DAY
    assert len(await partitions(database, Partitioned.SCORE)) <= 30 + 5
    history = ScoreHistory(database)
    for key, values in ((steady, {40.0}), (moved, {50.0, 60.0}), (gone, {None})):
        points = await history.read(key, now - 29 * DAY, now, DAY)
        assert {point.value for point in points} == values
    assert await rows(database, "SELECT DISTINCT name FROM score ORDER BY name") == [("moved",), ("steady",)]


async def test_retention_goes_on_by_itself_while_postgresql_comes_and_goes(tmp_path: Path, database: Database) -> None:
    away = Database(health_target(f"postgresql://nobody@/nothing?host={tmp_path}"), DatabaseSettings())
    failing = asyncio.create_task(Retention(away, SteppedClock()).run())
    working = asyncio.create_task(Retention(database, SteppedClock()).run())

    async def made() -> bool:
        return len(await partitions(database, Partitioned.EVENT)) == 2

    await eventually(made)
    assert not failing.done()
    for task in (failing, working):
        await run_until_done(task)
    await away.close()
