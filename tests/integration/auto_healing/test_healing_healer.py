"""The loop that joins it all, on real runs and a real inbox; time is the test's, the cluster is of built rows."""

import asyncio
import copy
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.support.clock import NOON, SteppedClock
from tests.support.healing_database import claim_healing, healing_rows
from tests.support.healing_events import an_event
from tests.support.healing_execution import Execution, an_execution
from tests.support.healing_faults import a_workload, crash_loops, nodes
from tests.support.healing_store import a_plan, a_stored_run, store_runs
from tests.support.rows import a_lease, a_namespace, a_snapshot
from tests.support.waiting import eventually

from auto_healing.facts import Pause, Sight
from auto_healing.findings import OpenFindings
from auto_healing.healer import Healer
from auto_healing.herald import Herald
from auto_healing.placement import Placements
from auto_healing.policy.parse import parse_policy
from auto_healing.run import Place, Run, RunState
from auto_healing.storage.fence import Deposed
from auto_healing.storage.inbox import Inbox, waiting_count
from auto_healing.storage.proposing import Answer
from auto_healing.storage.shadows import Shadows
from auto_healing.world import World
from common.cluster.rows import Row
from common.contracts import Change, Finding, HealthEvent
from common.database.errors import DatabaseUnavailable
from common.monitor.client import Listing

pytestmark = pytest.mark.database

POLICY = """
version: 1
mode: auto
scope: {opt_in: false}
rules:
  - name: crash-loop
    match: {codes: [pod-crash-loop], levels: [pod]}
    ladder: [evict-pod, delete-pod, call-a-human]
guards:
  cooldown: {target: 1s, owner: 1s}
"""
N = ("n1", "n2", "n3")
SHOP = a_workload("shop", N, failing=["n1"])
DEPLOYMENT, BAD = SHOP[0], SHOP[2]
(FINDING,) = crash_loops(SHOP)  # half an hour old
SECOND = timedelta(seconds=1)


class Forgetful(Inbox):
    """An inbox whose database is away for the first so many questions."""

    away = 0
    asked = 0

    async def waiting(self, limit: int) -> list[HealthEvent]:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable("no server")
        return await super().waiting(limit)


class Led:
    """A healer at work, and what a test does to its world."""

    def __init__(self, execution: Execution, policy: str) -> None:
        self.execution = execution
        self.clock: Any = execution.clock
        self.policy = parse_policy(policy)
        self.findings = OpenFindings()
        self.inbox = Forgetful(execution.database)
        self.pauses: tuple[Pause, ...] = ()
        self.looks: list[Sequence[Answer]] = []
        self.cursor = 0
        self.worlds = 0  # that were looked at
        self.healer = Healer(
            execution.database,
            execution.clock,
            inbox=self.inbox,
            runs=execution.runs,
            shadows=Shadows(execution.database),
            findings=self.findings,
            world=self.world,
            placements=lambda world: Placements(world.snapshot, world.now),
            observer=self,
            herald=Herald(execution.cluster),
        )

    def decided(self, answers: Sequence[Answer], seconds: float) -> None:
        self.looks.append(answers)

    def world(self) -> World:
        self.worlds += 1
        now = self.clock.now()
        return World(
            now=now,
            snapshot=self.execution.snapshot,
            policy=self.policy,
            history=self.execution.past,
            pauses=self.pauses,
            sight=Sight(synced_at=NOON - timedelta(hours=1), health_monitor_heard_at=now),
            open_findings=self.findings,
        )

    async def hears(self, change: Change = Change.OPENED, finding: Finding = FINDING, *, storm: bool = False) -> None:
        """Until the event was taken into account, and all that is due was decided."""
        self.cursor += 1
        await self.inbox.receive([an_event(self.cursor, change, finding=finding, storm=storm)], self.clock.now())

        async def settled() -> bool:
            return await waiting_count(self.execution.database) == 0

        await eventually(settled)

    async def after(self, passed: timedelta) -> None:
        """Time passes, and what is due then was decided. A storm's event names no finding."""
        self.clock.step(passed)
        await self.hears(storm=True)

    async def runs(self) -> list[Run]:
        """Oldest first."""
        rows = await healing_rows(self.execution.database, "SELECT id FROM run ORDER BY created_at, id")
        return [await self.execution.found(id_) for (id_,) in rows]

    async def ledger(self) -> list[tuple[Any, ...]]:
        return await healing_rows(
            self.execution.database, "SELECT event, guard, action, message FROM ledger ORDER BY seq"
        )

    async def fails(self, run: Run) -> None:
        """Carried out in vain, as the executor would say."""
        at = self.clock.step(SECOND)
        await healing_rows(
            self.execution.database, "UPDATE run SET state = 'failed', ended_at = :at WHERE id = :id", at=at, id=run.id
        )
        failed = replace(run, state=RunState.FAILED, started_at=at, updated_at=at, ended_at=at)
        self.execution.past.put(failed)
        self.healer.climb(failed)
        await self.after(timedelta(seconds=5))


@asynccontextmanager
async def led(
    url: str, *, rows: Sequence[Row] = (), policy: str = POLICY, before: Sequence[Run] = (), away: int = 0
) -> AsyncIterator[Led]:
    """A new leader at work, over the shop and these rows; `before` are the runs of the last one."""
    fleet = nodes(*N)
    snapshot = a_snapshot(a_namespace(), *fleet, *(a_lease(name) for name in N), *(rows or SHOP))
    async with an_execution(url, clock=SteppedClock(), snapshot=snapshot) as execution:
        await store_runs(execution.database, *before) if before else None
        found = Led(execution, policy)
        found.inbox.away = away
        assert execution.epoch is not None
        task = asyncio.create_task(found.healer.run(execution.epoch))
        try:
            yield found
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_an_event_leads_to_a_run_that_is_stored_with_its_reason(healing_url: str) -> None:
    async with led(healing_url) as led_:
        await led_.hears()

        (run,) = await led_.runs()
        assert (run.state, run.plan.rule, run.plan.rung) == (RunState.APPROVED, "crash-loop", 0)
        assert (run.plan.target.name, run.place.owner) == (BAD.name, DEPLOYMENT.key)
        assert [entry[:3] for entry in await led_.ledger()] == [("proposed", "", "evict-pod")]
        assert [known.cursor for known in await led_.inbox.known_findings()] == [1]


async def test_the_full_list_leads_to_a_run_too(healing_url: str) -> None:
    async with led(healing_url) as led_:
        led_.healer.listed(Listing(5, (FINDING,)))
        await led_.hears(storm=True)

        assert len(await led_.runs()) == 1
        assert [known.cursor for known in await led_.inbox.known_findings()] == [5]
        assert led_.healer.storm_at == NOON


async def test_a_full_list_that_says_nothing_new_leads_to_no_look(healing_url: str) -> None:
    async with led(healing_url) as led_:
        await led_.hears()
        worlds, asked = led_.worlds, led_.inbox.asked

        led_.healer.listed(Listing(1, (FINDING,)))
        await eventually(lambda: is_past(led_.inbox, asked + 1))

        assert led_.worlds == worlds


async def is_past(inbox: Forgetful, asked: int) -> bool:
    """The list is taken into account after the inbox was asked, and before it is asked again."""
    return inbox.asked > asked


async def test_what_was_resolved_a_week_ago_is_forgotten_with_the_next_full_list(healing_url: str) -> None:
    async with led(healing_url) as led_:
        await led_.hears()
        await led_.hears(Change.RESOLVED)
        for passed, left in ((6, 1), (2, 0)):
            led_.healer.listed(Listing(1, ()))
            await led_.after(timedelta(days=passed))
            assert len(copy.deepcopy(led_.findings).forget_resolved_before(led_.clock.now())) == left


async def test_a_refusal_names_when_it_is_looked_at_again(healing_url: str) -> None:
    policy = POLICY + "  grace: {codes: {pod-crash-loop: 1810s}}\n"
    async with led(healing_url, policy=policy) as led_:
        await led_.hears()
        assert [entry[:2] for entry in await led_.ledger()] == [("declined", "grace")]
        await led_.after(timedelta(seconds=9))
        assert len(led_.looks) == 1, "nothing could have changed before the time that it named"

        await led_.after(timedelta(seconds=2))
        assert len(led_.looks) == 2
        assert [run.state for run in await led_.runs()] == [RunState.APPROVED]


async def test_what_a_refusal_cannot_tell_is_looked_at_now_and_then_and_told_once(healing_url: str) -> None:
    async with led(healing_url) as led_:
        led_.pauses = (Pause(reason="a big sale", by="alice", since=NOON),)
        await led_.hears()
        await led_.after(timedelta(seconds=29))
        assert len(led_.looks) == 1
        await led_.after(timedelta(seconds=2))
        assert len(led_.looks) == 2
        assert [entry[:2] for entry in await led_.ledger()] == [("declined", "paused")]

        led_.pauses = ()
        led_.healer.look_again()
        await led_.after(SECOND)
        assert len(await led_.runs()) == 1


async def test_what_did_not_help_is_followed_by_the_next_rung_and_at_last_by_a_human(healing_url: str) -> None:
    async with led(healing_url) as led_:
        await led_.hears()
        (first,) = await led_.runs()
        await led_.fails(first)
        _, second = await led_.runs()
        assert (second.plan.rung, second.previous) == (1, first.id)
        assert [run.plan.steps[0].action for run in (first, second)] == ["evict-pod", "delete-pod"]

        await led_.fails(second)
        assert len(await led_.runs()) == 2
        assert "call-a-human" in {word for entry in await led_.ledger() for word in entry[:3]}
        assert led_.execution.cluster.events == [f"HealingNeedsHuman {BAD.name}"]


def a_failed_run(name: str, *, minutes_ago: int, rung: int = 0) -> Run:
    """About a pod of the shop."""
    plan = a_plan(name)
    target, subject = replace(FINDING.object, name=name), BAD.key._replace(name=name)
    plan = replace(plan, rule="crash-loop", rung=rung, target=target, fault=replace(plan.fault, subject=subject))
    at = NOON - timedelta(minutes=minutes_ago)
    return a_stored_run(RunState.FAILED, plan=plan, at=at, place=Place(owner=DEPLOYMENT.key))


async def test_a_new_leader_goes_on_where_the_last_one_was(healing_url: str) -> None:
    failed = a_failed_run(BAD.name, minutes_ago=10)
    async with led(healing_url, before=[failed]) as led_:
        await led_.hears()

        run = (await led_.runs())[-1]
        assert (run.plan.rung, run.previous) == (1, failed.id)


async def test_a_new_leader_goes_on_where_the_newest_run_of_the_workload_was(healing_url: str) -> None:
    before = [a_failed_run("a-pod-before-it", minutes_ago=20), a_failed_run(BAD.name, minutes_ago=10, rung=1)]
    async with led(healing_url, before=before) as led_:
        await led_.hears()

        assert len(await led_.runs()) == 2
        assert [entry[1] for entry in await led_.ledger()] == ["call-a-human"]


async def test_a_fault_that_comes_back_soon_goes_on_where_its_ladder_was_left(healing_url: str) -> None:
    policy = POLICY + "  loop: {window: 1s}\n"  # the guard against going round in circles would refuse it
    async with led(healing_url, policy=policy) as led_:
        await led_.hears()
        await led_.hears(Change.RESOLVED)
        (run,) = await led_.runs()
        await led_.fails(run)
        await led_.hears()

        again = (await led_.runs())[-1]
        assert (again.id != run.id, again.plan.rung, again.previous) == (True, 1, run.id)


async def test_nothing_is_decided_without_the_database_and_all_of_it_afterwards(healing_url: str) -> None:
    async with led(healing_url, away=1) as led_:
        await led_.hears()

        assert led_.inbox.away == 0
        assert len(await led_.runs()) == 1


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([row for row in SHOP if row is not BAD], id="gone"),
        pytest.param(
            [msgspec.structs.replace(row, deleted_at=NOON + SECOND) if row is BAD else row for row in SHOP],
            id="going, within its grace",
        ),
    ],
)
async def test_a_pod_that_is_gone_is_not_looked_at(healing_url: str, rows: Sequence[Row]) -> None:
    async with led(healing_url, rows=rows) as led_:
        await led_.hears()

        assert (led_.looks, await led_.runs(), await led_.ledger()) == ([], [], [])


async def test_what_belongs_to_an_owner_with_a_run_at_work_is_left_alone(healing_url: str) -> None:
    async with led(healing_url) as led_:
        at_work = a_stored_run(
            RunState.RUNNING, plan=a_plan("another-pod"), place=Place(owner=DEPLOYMENT.key), started_at=NOON
        )
        led_.execution.past.put(at_work)
        await led_.hears()
        assert (led_.looks, await led_.ledger()) == ([], [])

        led_.clock.step(SECOND)
        ended = replace(at_work, state=RunState.HEALED, updated_at=led_.clock.now(), ended_at=led_.clock.now())
        led_.execution.past.put(ended)
        led_.healer.ended(ended)
        await led_.after(timedelta(seconds=5))
        assert len(await led_.runs()) == 1


async def test_who_was_deposed_decides_nothing_more(healing_url: str) -> None:
    async with an_execution(
        healing_url, clock=SteppedClock(), snapshot=a_snapshot(a_namespace(), *nodes(*N), *SHOP)
    ) as execution:
        led_ = Led(execution, POLICY)
        old = execution.epoch
        assert old is not None
        await claim_healing(execution.database)
        await led_.inbox.receive([an_event(1, finding=FINDING)], NOON)
        with pytest.raises(Deposed):
            await asyncio.wait_for(led_.healer.run(old), 60)

        assert (await led_.runs(), await led_.ledger()) == ([], [])
        assert await waiting_count(execution.database) == 1
