"""The loop: changes of the cluster view go into the engine, what it tells goes out, and the event loop stays free.

Three tasks share the engine, each sync between two awaits: one takes changes, one works them off in short slices and
ticks when something is due, one looks after what no change announces: the API server's health, the clock, the policy.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from common.clock import Clock
from common.cluster.changes import RowChange
from common.contracts import EventData, ObjectKey
from common.policy.follow import follow
from health_monitor.engine.engine import Engine
from health_monitor.engine.outcome import ScoreChange
from health_monitor.policy.file import PolicyFile

logger = logging.getLogger(__name__)

SLICE = 100  # objects, or changes, between two yields to the event loop: some 2 ms
LONGEST_SLEEP = timedelta(minutes=1)
REFRESH_SECONDS = 2.0  # how old what is known of the API server's health may be
CLOCK_SET = timedelta(seconds=5)  # a larger step between the two clocks is no drift


class Batch(Protocol):
    """Changes in the order in which they came, and the kinds whose view was broken until now."""

    @property
    def changes(self) -> Sequence[RowChange]: ...

    @property
    def outages_ended(self) -> Collection[str]: ...


class View(Protocol):
    """The watched cluster. `changes` begins at the moment of `synced`."""

    @property
    def synced(self) -> asyncio.Event: ...

    def changes(self) -> AsyncIterator[Batch]: ...


class Sink(Protocol):
    """Takes what is told; never blocks."""

    def put(self, events: Sequence[EventData], scores: Sequence[ScoreChange]) -> None: ...


class CheckErrors:
    """Give it to the engine: counts checks that fail, and logs the first failure of each."""

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._logged: set[str] = set()

    def __call__(self, code: str, key: ObjectKey, error: Exception) -> None:
        self._count(code)
        if code not in self._logged:
            self._logged.add(code)
            logger.error(
                "check %s failed on %s; it is passed over there, and not logged again", code, key, exc_info=error
            )


class Monitor:
    """Runs an engine over a view. `synced` is set once every object was scored."""

    def __init__(
        self,
        view: View,
        engine: Engine,
        sink: Sink,
        clock: Clock,
        *,
        policy: PolicyFile | None = None,
        policy_poll_seconds: float = 5.0,
        refresh_seconds: float = REFRESH_SECONDS,
        on_evaluated: Callable[[float], None] = lambda _seconds: None,
        on_policy: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self.engine = engine
        self.synced = asyncio.Event()
        self.first_score_at: datetime | None = None
        self._view = view
        self._sink = sink
        self._clock = clock
        self._policy = policy
        self._policy_poll_seconds = policy_poll_seconds
        self._refresh_seconds = refresh_seconds
        self._on_evaluated = on_evaluated
        self._on_policy = on_policy
        self._wake = asyncio.Event()
        self._epoch: datetime | None = None  # what the calendar says when the stopwatch starts

    async def run(self) -> None:
        """Until cancelled."""
        await self._view.synced.wait()
        self.engine.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_changes(), name="changes")
            tasks.create_task(self._work(), name="work")
            tasks.create_task(self._refresh(), name="refresh")
            if self._policy is not None:
                tasks.create_task(self._follow(self._policy), name="policy")

    async def _take_changes(self) -> None:
        async for batch in self._view.changes():
            now = self._clock.now()
            for kind in batch.outages_ended:
                logger.info("the view of kind %s is whole again; its timers start anew", kind)
                self.engine.restart_timers(now, kind)
            changes = iter(batch.changes)
            while part := list(islice(changes, SLICE)):
                self.engine.mark(part, now)
                self._wake.set()
                await asyncio.sleep(0)
            self._wake.set()

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            self._mind_the_clock()
            self.engine.mark_due(self._clock.now())
            self._work_slice()
            while self.engine.pending:
                await asyncio.sleep(0)
                self._work_slice()
            if not self.synced.is_set():
                self.first_score_at = self._clock.now()
                self.synced.set()
            await self._sleep()

    def _work_slice(self) -> None:
        started = self._clock.monotonic()
        outcome = self.engine.work(self._clock.now(), SLICE)
        if outcome.events or outcome.scores:
            self._sink.put(outcome.events, outcome.scores)
        self._on_evaluated(self._clock.monotonic() - started)

    async def _sleep(self) -> None:
        """Until there is something to work off, or something is due."""
        due = self.engine.next_due_at
        pause = LONGEST_SLEEP if due is None else min(LONGEST_SLEEP, due - self._clock.now())
        try:
            async with asyncio.timeout(max(0.0, pause.total_seconds())):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_seconds)
            self.engine.refresh_cluster()
            self._wake.set()

    def _mind_the_clock(self) -> None:
        """Before anything is found to be due: what a jump of the calendar makes due is not."""
        before, self._epoch = self._epoch, self._clock.now() - timedelta(seconds=self._clock.monotonic())
        if before is not None and abs(self._epoch - before) > CLOCK_SET:
            logger.warning("the clock was set by %s; all timers start anew", self._epoch - before)
            self.engine.restart_timers(self._clock.now())

    async def _follow(self, file: PolicyFile) -> None:
        def changed() -> None:
            self.engine.set_policy(file.policy)
            self._wake.set()

        await follow(file, every_seconds=self._policy_poll_seconds, on_change=changed, count=self._on_policy)
