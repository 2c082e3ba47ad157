"""A storm of health events on a real database: until the last of them is decided, and all answers are stored.

Two storms. In one every pod fails by itself, so that each event is a decision of its own; in the other a zone goes
down, and all events are one fault.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from auto_healing.facts import Sight
from auto_healing.fault import FaultLevel
from auto_healing.findings import OpenFindings
from auto_healing.healer import Healer
from auto_healing.kube.rows import live_row
from auto_healing.past import Past
from auto_healing.placement.placements import Placements
from auto_healing.plan import Mode
from auto_healing.policy import HealingPolicy
from auto_healing.policy.defaults import DEFAULT_RULES
from auto_healing.policy.settings import Scope
from auto_healing.storage.inbox import Inbox, waiting_count
from auto_healing.storage.jobs import Jobs
from auto_healing.storage.proposing import Answer
from auto_healing.storage.runs import Runs
from auto_healing.storage.shadows import Shadows
from auto_healing.world import World
from bench.figure import Benchmark, Figure
from bench.healing import EPOCH, led_database
from bench.objects import node, pod
from common.clock import SystemClock
from common.cluster.rows import NodeRow, PodRow
from common.cluster.snapshot import Source, SourceState
from common.cluster.store import Store
from common.contracts import Change, EventData, Finding, HealthEvent, ObjectRef, Severity
from common.database.connections import Database
from common.database.work import WorkQueue

ID = "healing.decision_rate"
EVENTS_AT_ONCE = 500  # as one page of health_monitor's stream
DECIDED_SECONDS = 600.0
LOOK_SECONDS = 0.02
RESTARTS = 9
POLICY = HealingPolicy(mode=Mode.AUTO, scope=Scope(opt_in=False), rules=DEFAULT_RULES)
PODS_PER_MINUTE = POLICY.guards.rate_limit.pods_per_minute  # in one namespace
LONG_AGO = timedelta(hours=2)  # past every grace


@dataclass(frozen=True, slots=True)
class Size:
    nodes: int
    pods: int
    rounds: int


FULL = Size(nodes=1_000, pods=10_000, rounds=3)
QUICK = Size(nodes=100, pods=1_000, rounds=1)


class Answers:
    """What the healer decided."""

    def __init__(self) -> None:
        self.all: list[Answer] = []
        self.looks = 0

    def decided(self, answers: Sequence[Answer], seconds: float) -> None:
        self.looks += 1
        self.all += answers


class Unheard:
    """There is no API server to write Events to; a storm would get a handful of them."""

    async def decided(self, answers: Sequence[Answer]) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Storm:
    """One that is over."""

    events: int
    answers: Answers
    cpu_seconds: float
    seconds: float

    @property
    def decisions(self) -> int:
        """Faults that were answered; one that was looked at twice counts once."""
        return len({answer.plan.fault.key for answer in self.answers.all})

    @property
    def acting(self) -> list[Answer]:
        return [answer for answer in self.answers.all if answer.run is not None]


def _a_store(size: Size) -> Store:
    """Each pod is the only one of its workload, and crashes."""
    now = SystemClock().now
    store = Store(now=now)
    for number in range(size.nodes):
        store.apply(live_row(NodeRow, node(number)))
    for number in range(size.pods):
        body = pod(number, nodes=size.nodes, ready=False)
        owner = body["metadata"]["ownerReferences"][0]
        owner |= {"name": f"{owner['name']}-{number}", "uid": f"{owner['uid']}-{number}"}
        crashing = {"restartCount": RESTARTS, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
        body["status"]["containerStatuses"][0] |= crashing
        store.apply(live_row(PodRow, body))
    for kind in store.sources:
        store.set_source(Source(kind=kind, state=SourceState.SYNCED, heard_at=now()))
    return store


def _alone(store: Store) -> Iterator[Finding]:
    for row in store.rows(PodRow).values():
        yield _finding(row.key.ref(row.uid), "pod-crash-loop", {"restarts": RESTARTS})


def _zone_down(store: Store) -> Iterator[Finding]:
    """As many findings as there are pods: the nodes of a zone, and what follows from that for its pods."""
    zone = sorted(store.zones())[0]
    nodes = store.zones()[zone]
    for row in filter(None, map(store.node, nodes)):
        yield _finding(row.key.ref(row.uid), "node-unknown", {})
    pods = [each for name in nodes for each in store.pods_on(name)]
    for code in ("pod-unknown", "pod-on-not-ready-node", "pod-not-ready"):
        for each in pods:
            yield _finding(each.key.ref(each.uid), code, {})


def _finding(about: ObjectRef, code: str, evidence: dict[str, int]) -> Finding:
    since = datetime.now(UTC) - LONG_AGO
    return Finding(
        code=code, object=about, severity=Severity.CRITICAL, message="It is broken", since=since, evidence=evidence
    )


def _events(findings: Iterator[Finding]) -> list[HealthEvent]:
    now = datetime.now(UTC)
    return [
        HealthEvent(
            id=str(uuid4()),
            source="/clusters/bench",
            type="io.k8s-health-checker.health.finding.opened.v1",
            subject=str(finding.object.key),
            time=now,
            cursor=cursor,
            data=EventData(change=Change.OPENED, finding=finding, detected_at=now),
        )
        for cursor, finding in enumerate(findings, start=1)
    ]


@asynccontextmanager
async def _deciding(store: Store, answers: Answers) -> AsyncIterator[tuple[Inbox, Database]]:
    """The real loop, over a database of its own. Nothing carries out its runs."""
    async with led_database() as (database, queue):
        inbox = Inbox(database)
        async with asyncio.TaskGroup() as group:  # a healer that fails ends the storm
            healer = group.create_task(_a_healer(store, answers, inbox, database, queue).run(EPOCH))
            yield inbox, database
            healer.cancel()


def _a_healer(store: Store, answers: Answers, inbox: Inbox, database: Database, queue: WorkQueue) -> Healer:
    clock, past, findings = SystemClock(), Past(), OpenFindings()

    def world() -> World:
        now = clock.now()
        sight = Sight(synced_at=now - LONG_AGO, health_monitor_heard_at=now)
        return World(now=now, snapshot=store, policy=POLICY, history=past, sight=sight, open_findings=findings)

    return Healer(
        database,
        clock,
        inbox=inbox,
        runs=Runs(database, Jobs(queue), clock, past, lambda: store),
        shadows=Shadows(database),
        findings=findings,
        world=world,
        placements=lambda world: Placements(world.snapshot, world.now),
        observer=answers,
        herald=Unheard(),
    )


async def _storm(store: Store, findings: Iterator[Finding]) -> Storm:
    """From the first event that arrives to the last that is decided. Raises TimeoutError."""
    events, answers = _events(findings), Answers()
    async with _deciding(store, answers) as (inbox, database):
        started, cpu = time.monotonic(), time.process_time()
        for start in range(0, len(events), EVENTS_AT_ONCE):
            await inbox.receive(events[start : start + EVENTS_AT_ONCE], datetime.now(UTC))
        async with asyncio.timeout(DECIDED_SECONDS):
            while await waiting_count(database):
                await asyncio.sleep(LOOK_SECONDS)
        return Storm(len(events), answers, time.process_time() - cpu, time.monotonic() - started)


def _checked_alone(storm: Storm) -> None:
    """Raises RuntimeError when a decision is missing, or more is done than the budgets allow."""
    if storm.decisions != storm.events:
        raise RuntimeError(f"{storm.decisions} of {storm.events} events were decided")
    acting = Counter(answer.plan.target.namespace for answer in storm.acting)
    if not acting or max(acting.values()) > PODS_PER_MINUTE * (1 + storm.seconds // 60):
        raise RuntimeError(f"{PODS_PER_MINUTE} runs a minute are allowed in a namespace, and these were made: {acting}")


def _checked_zone(storm: Storm) -> None:
    """Raises RuntimeError unless all of it is the zone's fault, about which nothing is done by itself."""
    levels = {answer.plan.fault.level for answer in storm.answers.all}
    laid = max(len(answer.plan.fault.findings) for answer in storm.answers.all)
    if storm.decisions != 1 or levels != {FaultLevel.ZONE} or laid != storm.events or storm.acting:
        raise RuntimeError(f"{storm.decisions} faults of {levels}, one with {laid} findings; {len(storm.acting)} runs")


async def run(quick: bool) -> list[Figure]:
    size = QUICK if quick else FULL
    store = _a_store(size)
    alone, zone = [], []
    for _ in range(size.rounds):
        alone.append(await _storm(store, _alone(store)))
        _checked_alone(alone[-1])
        zone.append(await _storm(store, _zone_down(store)))
        _checked_zone(zone[-1])
    by_the_clock = statistics.median(each.decisions / each.seconds for each in alone)
    acting, looks = max(len(each.acting) for each in alone), max(each.answers.looks for each in alone)
    events = max(each.events for each in zone)
    return [
        Figure(
            id=ID,
            what="decisions in a storm: from the first event received to the last plan or refusal stored",
            unit="decisions/s",
            target=500,
            better="higher",
            runs=[each.decisions / each.cpu_seconds for each in alone],
            conditions=f"{size.pods:,} pods on {size.nodes:,} nodes, each the only one of its workload and crashing: "
            f"as many events, each a decision of its own, taken in {looks} looks; default guards, all modes auto, "
            f"{acting} runs where budgets allow no more than {PODS_PER_MINUTE} a minute and namespace; per second of "
            f"own CPU, receiving included; {by_the_clock:.0f} a second by the clock, with PostgreSQL (every commit on "
            f"the disk) on the same machine; a zone that goes down ({events:,} events) is one fault and one decision, "
            f"which takes {statistics.median(each.seconds for each in zone):.1f} s",
        )
    ]


BENCHMARK = Benchmark(id=ID, title="decisions under a storm of events", run=run)
