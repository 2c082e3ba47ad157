"""The monitor over a view that the test drives: the first pass, changes, time, policy, the clock, failing checks."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.health_engine import STEERED, EngineUnderTest, a_check
from tests.support.rows import a_pod
from tests.support.waiting import eventually

from common.clock import SystemClock
from common.cluster.changes import RowChange
from common.cluster.rows import Row
from common.cluster.snapshot import ApiHealth
from common.contracts import EventData, ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.checks.check import SOURCES, Symptom
from health_monitor.engine.engine import Engine
from health_monitor.engine.outcome import ScoreChange
from health_monitor.monitor import SLICE, CheckErrors, Monitor
from health_monitor.policy.file import PolicyFile

POD = ObjectKey("Pod", "shop", "one")


@dataclass
class DrivenBatch:
    changes: Sequence[RowChange] = ()
    outages_ended: Collection[str] = ()


@dataclass
class DrivenView:
    """A view that tells what the test puts into it."""

    synced: asyncio.Event = field(default_factory=asyncio.Event)
    batches: asyncio.Queue[DrivenBatch] = field(default_factory=asyncio.Queue)

    async def changes(self) -> AsyncIterator[DrivenBatch]:
        while True:
            yield await self.batches.get()


@dataclass
class Collected:
    events: list[EventData] = field(default_factory=list)
    scores: list[ScoreChange] = field(default_factory=list)

    def put(self, events: Sequence[EventData], scores: Sequence[ScoreChange]) -> None:
        self.events += events
        self.scores += scores

    def told(self) -> list[tuple[str, str]]:
        return [(event.change.value, event.finding.object.name) for event in self.events]


class SetClock(SystemClock):
    """The machine's clocks, of which the calendar can be set."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.offset


class MonitorUnderTest:
    def __init__(self, *rows: Row, checks: Sequence[Any] = STEERED, **options: Any) -> None:
        self.world = EngineUnderTest(*rows, checks=checks, start=False)
        self.view = DrivenView()
        self.sink = Collected()
        self.clock = SetClock()
        self.failures: list[str] = []
        self.evaluations: list[float] = []
        self.engine = Engine(self.world.store, checks=checks, on_check_error=CheckErrors(self.failures.append))
        self.monitor = Monitor(
            self.view, self.engine, self.sink, self.clock, on_evaluated=self.evaluations.append, **options
        )

    def change(self, *rows: Row, outages_ended: Collection[str] = ()) -> None:
        changes = [change for row in rows if (change := self.world.store.apply(self.world.versioned(row)))]
        self.view.batches.put_nowait(DrivenBatch(changes, outages_ended))

    async def told(self, *expected: tuple[str, str]) -> None:
        async def so_far() -> bool:
            return self.sink.told() == list(expected)

        try:
            await eventually(so_far)
        except AssertionError:
            assert self.sink.told() == list(expected)
            raise


@asynccontextmanager
async def running(*rows: Row, **options: Any) -> AsyncIterator[MonitorUnderTest]:
    under_test = MonitorUnderTest(*rows, **options)
    task = asyncio.create_task(under_test.monitor.run())
    under_test.view.synced.set()
    try:
        yield under_test
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def ill(name: str, sick: str = "warning", **more: str) -> Row:
    return a_pod(name, labels={"sick": sick, **more})


async def test_nothing_happens_before_the_view_is_synced() -> None:
    under_test = MonitorUnderTest(ill("one"))
    task = asyncio.create_task(under_test.monitor.run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not under_test.engine.pending
    assert not under_test.monitor.synced.is_set()
    under_test.view.synced.set()
    await under_test.monitor.synced.wait()
    assert under_test.sink.told() == [("opened", "one")]
    assert under_test.monitor.first_score_at is not None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_large_cluster_is_scored_in_slices_and_told_at_the_end() -> None:
    pods = [ill(f"pod-{n}") for n in range(5 * SLICE)]
    async with running(*pods) as under_test:
        turns = 0
        while not under_test.monitor.synced.is_set():
            assert under_test.sink.told() == []
            turns += 1
            await asyncio.sleep(0)
        assert turns >= 5
        assert [(event.storm, event.count) for event in under_test.sink.events] == [(True, len(pods))]
        assert len(under_test.evaluations) >= 5
        assert min(under_test.evaluations) >= 0
        assert {change.key.kind for change in under_test.sink.scores} == {"Pod", "Namespace", "Cluster"}


async def test_changes_are_told_as_they_come_also_many_at_once() -> None:
    async with running(a_pod("one")) as under_test:
        await under_test.monitor.synced.wait()
        under_test.change(*(a_pod(f"pod-{n}") for n in range(3 * SLICE)), ill("one"))
        await under_test.told(("opened", "one"))
        under_test.change(ill("one", "critical"))
        await under_test.told(("opened", "one"), ("changed", "one"))


async def test_what_is_due_is_told_though_nothing_changes() -> None:
    async with running(ill("one", "warning:0.3"), ill("two", "warning:0.1")) as under_test:
        begun = under_test.clock.now()
        await under_test.told(("opened", "two"), ("opened", "one"))
        assert under_test.sink.events[1].detected_at >= begun + timedelta(seconds=0.29)


async def test_after_an_outage_timers_start_anew() -> None:
    async with running(a_pod("one")) as under_test:
        await under_test.monitor.synced.wait()
        begun = under_test.clock.now()
        under_test.change(ill("one", "warning:1"))
        await asyncio.sleep(0.4)
        under_test.change(outages_ended=["Pod"])
        await under_test.told(("opened", "one"))
        assert under_test.sink.events[0].detected_at >= begun + timedelta(seconds=1.3)


async def test_the_health_of_the_api_server_is_looked_at_though_no_object_changes() -> None:
    def run(_key: ObjectKey, *_rest: object) -> list[Symptom]:
        return [Symptom(message="slow")] if store.api.p99_seconds > 1 else []

    check = a_check(CLUSTER, run=run, reads=frozenset({SOURCES}))
    async with running(checks=(check,), refresh_seconds=0.01) as under_test:
        store = under_test.world.store
        await under_test.monitor.synced.wait()
        assert under_test.sink.told() == []
        store.api = ApiHealth(requests=100, p99_seconds=3)
        await under_test.told(("opened", ""))


@pytest.mark.parametrize("jump", [timedelta(hours=2), timedelta(hours=-2)], ids=["forward", "back"])
async def test_a_clock_that_was_set_opens_nothing_early_and_nothing_never(
    jump: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with running(ill("one", "warning:2"), refresh_seconds=0.05) as under_test:
        await under_test.monitor.synced.wait()
        await asyncio.sleep(0.2)
        under_test.clock.offset = jump

        async def noticed() -> bool:
            return "the clock was set" in caplog.text

        await eventually(noticed)
        assert under_test.sink.told() == []
        await under_test.told(("opened", "one"))


async def test_another_policy_file_is_followed_and_a_bad_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("version: 1\n")
    outcomes: list[str] = []
    async with running(
        ill("one"), policy=PolicyFile.open(file), policy_poll_seconds=0.01, on_policy=outcomes.append
    ) as under_test:
        await under_test.monitor.synced.wait()
        assert under_test.engine.value(POD) == 80

        file.write_text("nonsense: true\n")

        async def rejected() -> bool:
            return outcomes == ["rejected"]

        await eventually(rejected)
        assert "nonsense" in caplog.text
        assert under_test.engine.value(POD) == 80

        file.write_text("version: 1\nchecks:\n  pod-failed: {severity: critical}\n")

        async def loaded() -> bool:
            return outcomes == ["rejected", "loaded"]

        await eventually(loaded)


async def test_a_failing_check_is_counted_each_time_logged_once_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(ill("one", "boom"), ill("two", "boom"), ill("three")) as under_test:
        await under_test.told(("opened", "three"))
        assert under_test.failures == ["pod-sick", "pod-sick"]
        assert caplog.text.count("check pod-sick failed") == 1


async def test_a_monitor_that_runs_again_looks_at_everything_anew() -> None:
    under_test = MonitorUnderTest(ill("one"))
    under_test.view.synced.set()
    for expected in ([("opened", "one")], [("opened", "one"), ("changed", "one")]):
        task = asyncio.create_task(under_test.monitor.run())
        await under_test.told(*expected)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        under_test.world.store.apply(under_test.world.versioned(ill("one", "critical")))
    assert under_test.sink.events[-1].finding.severity is Severity.CRITICAL
