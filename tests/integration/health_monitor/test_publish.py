"""What the engine tells is stored in order, once, without a gap, whatever happens to PostgreSQL and to the leader."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from tests.support.clock import NOON, SteppedClock
from tests.support.commit_cutter import CommitCutter
from tests.support.health_database import an_event, claim, execute, health_target, rows, run_until_done, scalar, told
from tests.support.postgres_proxy import before
from tests.support.waiting import eventually

from common.contracts import Change, HealthEvent, ObjectKey, Severity
from common.database.connections import Database
from common.database.embedded import EmbeddedPostgres
from common.database.errors import DatabaseUnavailable
from common.database.migrate import differences, upgrade
from common.database.settings import DatabaseSettings
from health_monitor.storage.buffer import Batch, DropReason, Entry
from health_monitor.storage.models import metadata
from health_monitor.storage.publish import Outbox
from health_monitor.storage.published import latest_scores, published_findings
from health_monitor.storage.writer import Deposed, store

pytestmark = pytest.mark.database

CLUSTER = ObjectKey("Cluster", "", "")


@dataclass(frozen=True)
class Moved:
    """A score that moved; None when the object is gone."""

    key: ObjectKey
    score: float | None
    at: datetime


@asynccontextmanager
async def an_outbox(database: Database, *, epoch: int | None = None, **options: Any) -> AsyncIterator[Outbox]:
    """A running outbox that leads, in a new epoch unless one is given."""
    outbox = Outbox(database, SteppedClock(), source="/clusters/test", **options)
    outbox.lead(await claim(database) if epoch is None else epoch)
    running = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        await run_until_done(running)


async def stored_names(database: Database) -> list[tuple[int, str, str]]:
    return await rows(database, "SELECT cursor, name, change FROM event ORDER BY cursor")


async def test_the_tables_are_those_of_the_models(health_url: str) -> None:
    assert differences(health_target(health_url), metadata) == []


async def test_events_get_consecutive_cursors_in_the_order_they_were_told(database: Database) -> None:
    heard: list[HealthEvent] = []
    async with an_outbox(database, on_stored=heard.extend) as outbox:
        outbox.put([an_event("a"), an_event("b")])
        outbox.put([an_event("a", Change.RESOLVED)])
        assert await outbox.flush(60)

    assert await stored_names(database) == [(1, "a", "opened"), (2, "b", "opened"), (3, "a", "resolved")]
    assert [(event.cursor, event.subject, event.type) for event in heard] == [
        (1, "Pod/shop/a", "io.k8s-health-checker.health.finding.opened.v1"),
        (2, "Pod/shop/b", "io.k8s-health-checker.health.finding.opened.v1"),
        (3, "Pod/shop/a", "io.k8s-health-checker.health.finding.resolved.v1"),
    ]


async def test_a_burst_is_stored_in_full(database: Database) -> None:
    heard: list[HealthEvent] = []
    async with an_outbox(database, on_stored=heard.extend) as outbox:
        outbox.put([an_event(f"pod-{number}") for number in range(2_500)])
        assert await outbox.flush(60)
        assert outbox.depth == 0

    assert [event.cursor for event in heard] == list(range(1, 2_501))
    assert await scalar(database, "SELECT cursor FROM stream") == 2_500


async def test_what_is_open_and_what_scores_are_is_read_back_by_the_next_leader(database: Database) -> None:
    late = NOON + timedelta(minutes=5)
    async with an_outbox(database) as outbox:
        outbox.put([*told("a", Change.OPENED, Change.RESOLVED), *told("b", Change.OPENED)])
        assert await outbox.flush(60)
        outbox.put([an_event("b", Change.CHANGED, at=late, flapping=True, severity=Severity.WARNING)])
        outbox.put([*told("c", Change.OPENED), *told("c", Change.CHANGED, Change.RESOLVED, Change.OPENED)])
        outbox.put([], [Moved(CLUSTER, 71.5, NOON), Moved(CLUSTER, 93.2, late)])
        assert await outbox.flush(60)

    found = {finding.finding.object.name: finding for finding in await published_findings(database)}
    assert set(found) == {"b", "c"}
    assert (found["b"].opened_at, found["b"].changed_at) == (NOON, late)
    assert found["b"].flapping
    assert found["b"].finding == an_event("b", severity=Severity.WARNING).finding
    assert await latest_scores(database) == {CLUSTER: 93.2}


async def test_the_score_of_an_object_that_is_gone_is_not_among_the_latest(database: Database) -> None:
    node = ObjectKey("Node", "", "n1")
    async with an_outbox(database) as outbox:
        outbox.put([], [Moved(node, 40.0, NOON)])
        assert await outbox.flush(60)
        assert await latest_scores(database) == {node: 40.0}
        outbox.put([], [Moved(node, None, NOON + timedelta(seconds=2))])
        assert await outbox.flush(60)

    assert await latest_scores(database) == {}


async def test_scores_alone_are_stored_without_waiting_for_an_event(database: Database) -> None:
    async with an_outbox(database) as outbox:
        outbox.put([], [Moved(CLUSTER, 50.0, NOON)])

        async def stored() -> bool:
            return await latest_scores(database) == {CLUSTER: 50.0}

        await eventually(stored)


async def test_text_that_postgresql_cannot_hold_is_replaced_not_refused(database: Database) -> None:
    async with an_outbox(database) as outbox:
        outbox.put([an_event("a", message="zero \x00 half \ud800", evidence={"why\x00": "\udfff", "n": 1})])
        assert await outbox.flush(60)

    (found,) = await published_findings(database)
    assert found.finding.message == "zero \ufffd half \ufffd"
    assert found.finding.evidence == {"why\ufffd": "\ufffd", "n": 1}


async def test_one_event_that_cannot_be_stored_does_not_keep_the_others_out(database: Database) -> None:
    names = [f"pod-{number}" for number in range(9)]
    async with an_outbox(database) as outbox:
        outbox.put([an_event(name, code="bad\x00code" if name == "pod-4" else "pod-crash-loop") for name in names])
        outbox.put([], [Moved(CLUSTER, 50.0, NOON)])
        assert await outbox.flush(60)
        assert outbox.dropped == {DropReason.REJECTED: 1}

    kept = [(place, name) for place, name in enumerate((n for n in names if n != "pod-4"), start=1)]
    assert [(cursor, name) for cursor, name, _ in await stored_names(database)] == kept
    assert await latest_scores(database) == {CLUSTER: 50.0}


async def test_a_partition_that_somebody_dropped_is_made_again(database: Database) -> None:
    async with an_outbox(database) as outbox:
        outbox.put([an_event("a")], [Moved(CLUSTER, 50.0, NOON)])
        assert await outbox.flush(60)
        for table in ("event_y2026m03", "score_y2026m03d01"):
            await execute(database, f"DROP TABLE {table}")
        outbox.put([an_event("b")], [Moved(CLUSTER, 60.0, NOON + timedelta(seconds=2))])
        assert await outbox.flush(60)
        assert not outbox.dropped

    assert await stored_names(database) == [(2, "b", "opened")]


async def test_a_follower_stores_nothing(database: Database) -> None:
    async with an_outbox(database) as outbox:
        outbox.follow()
        outbox.put([an_event("a")], [Moved(CLUSTER, 1.0, NOON)])
        assert await outbox.flush(60)

    assert await scalar(database, "SELECT cursor FROM stream") == 0


async def test_a_deposed_leader_stores_nothing_and_says_so(database: Database) -> None:
    deposed: list[int] = []
    async with an_outbox(database, on_deposed=deposed.append) as old, an_outbox(database) as new:
        old.put(told("seen-by-old", Change.OPENED))
        new.put(told("seen-by-new", Change.OPENED))
        assert await old.flush(60)
        assert await new.flush(60)

    assert deposed == [1]
    assert await stored_names(database) == [(1, "seen-by-new", "opened")]


async def test_a_take_over_in_the_middle_of_writing_neither_loses_nor_doubles(database: Database) -> None:
    heard: list[HealthEvent] = []
    names = {f"pod-{number}" for number in range(3_000)}
    async with an_outbox(database, on_stored=heard.extend) as old:
        old.put([an_event(name) for name in sorted(names)])

        async def some_stored() -> bool:
            return len(heard) > 0

        await eventually(some_stored)
        async with an_outbox(database, on_stored=heard.extend) as new:
            known = {finding.finding.object.name for finding in await published_findings(database)}
            new.put([an_event(name) for name in sorted(names - known)])
            assert await new.flush(60)
        assert await old.flush(60)

    stored = await stored_names(database)
    assert [cursor for cursor, _, _ in stored] == list(range(1, 3_001))
    assert {name for _, name, _ in stored} == names
    assert sorted(event.cursor for event in heard) == list(range(1, 3_001))


async def test_a_batch_whose_commit_got_no_answer_is_not_stored_twice(database: Database) -> None:
    epoch = await claim(database)
    async with an_outbox(database, epoch=epoch) as outbox:  # makes the partitions
        outbox.put([an_event("first")])
        assert await outbox.flush(60)
    batch = Batch(id=UUID(int=2), epoch=epoch, recorded_at=NOON, entries=(Entry(UUID(int=1), an_event("second")),))

    stored = [await _store(database, batch) for _ in range(3)]

    assert [event.cursor for event in stored] == [2, 2, 2]
    assert len(await stored_names(database)) == 2
    await claim(database)
    with pytest.raises(Deposed):
        await _store(database, batch)


async def test_commits_whose_answers_are_lost_are_noticed_and_not_repeated(health_url: str) -> None:
    heard: list[HealthEvent] = []
    with TemporaryDirectory(prefix="khc-") as folder:
        async with before(health_url, Path(folder), CommitCutter) as (cutter, url):
            database = Database(health_target(url), DatabaseSettings())
            async with an_outbox(database, on_stored=heard.extend) as outbox:
                outbox.put([an_event("first")])
                assert await outbox.flush(60)
                for number in range(5):
                    cutter.cuts = 2
                    outbox.put([an_event(f"pod-{number}-{part}") for part in range(3)])
                    assert await outbox.flush(60)
                    assert cutter.cuts == 0
            stored = await stored_names(database)
            await database.close()

    assert [cursor for cursor, _, _ in stored] == list(range(1, 17))
    assert len({name for _, name, _ in stored}) == 16
    assert [event.cursor for event in heard] == list(range(1, 17))


async def test_readers_see_no_gap_while_two_would_be_leaders_write(database: Database) -> None:
    """Both write in the same epoch, which the lock on the stream has to survive: it is what orders the commits."""
    epoch = await claim(database)
    seen: list[int] = []
    async with an_outbox(database, epoch=epoch) as one, an_outbox(database, epoch=epoch) as other:
        for number in range(30):
            one.put([an_event(f"one-{number}")])
            other.put([an_event(f"other-{number}")])
            found = await rows(database, "SELECT cursor FROM event ORDER BY cursor")
            seen = [cursor for (cursor,) in found]
            assert seen == list(range(1, len(seen) + 1))
        assert await one.flush(60)
        assert await other.flush(60)

    assert await scalar(database, "SELECT count(*) FROM event") == 60
    assert await scalar(database, "SELECT max(cursor) FROM event") == 60


async def test_postgresql_that_crashes_again_and_again_costs_nothing(private_postgres: EmbeddedPostgres) -> None:
    target = health_target(private_postgres.url)
    await upgrade(target, "health_monitor:migrations")
    database = Database(target, DatabaseSettings(connect_timeout_seconds=2))
    heard: list[HealthEvent] = []
    async with an_outbox(database, on_stored=heard.extend) as outbox:
        for crash in range(4):
            outbox.put([an_event(f"pod-{crash}-{number}") for number in range(1_500)])
            await asyncio.to_thread(private_postgres.restart)
        assert await outbox.flush(120)
        assert outbox.unavailable_since is None

    stored = await stored_names(database)
    await database.close()
    assert [cursor for cursor, _, _ in stored] == list(range(1, 6_001))
    assert len({name for _, name, _ in stored}) == 6_000
    assert [event.cursor for event in heard] == list(range(1, 6_001))


async def test_while_there_is_no_postgresql_events_wait_up_to_the_bound(tmp_path: Path) -> None:
    database = Database(health_target(f"postgresql://nobody@/nothing?host={tmp_path}"), DatabaseSettings())
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    async with an_outbox(database, epoch=1, capacity=100) as outbox:
        outbox.put(told("short", Change.OPENED, Change.RESOLVED))

        async def noticed() -> bool:
            return outbox.unavailable_since is not None

        await eventually(noticed)
        outbox.put([an_event(f"pod-{number}") for number in range(98)])
        assert (outbox.depth, outbox.fill, dict(outbox.dropped)) == (100, 1.0, {})
        outbox.put([an_event(f"late-{number}") for number in range(10)])
        assert outbox.dropped[DropReason.OVERFLOW] > 0
        assert not await outbox.flush(0.01)
    await database.close()


async def _store(database: Database, batch: Batch) -> HealthEvent:
    async with database.begin() as connection:
        (event,) = (await store(connection, batch, "/clusters/test")).events
    return event
