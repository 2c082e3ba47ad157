"""Keeps together what decisions rest on, and gives it as one instant: the cluster, what is paused, what fires."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from auto_healing.facts import FiringAlert, OtherHealer, Pause
from auto_healing.findings import OpenFindings
from auto_healing.history import History
from auto_healing.policy import HealingPolicy
from auto_healing.sight import SightKeeper
from auto_healing.storage.pauses import Pauses
from auto_healing.world import World
from common.clock import Clock
from common.cluster.watch import ClusterWatch
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

PAUSES_SECONDS = 1.0  # a pause put on another replica holds within this time


class View:
    """`past` holds the runs of the last day once this replica leads; on others it is empty."""

    def __init__(
        self,
        watch: ClusterWatch,
        clock: Clock,
        *,
        policy: Callable[[], HealingPolicy],
        past: History,
        alerts: Callable[[], Sequence[FiringAlert] | None],
        other_healers: Callable[[], Collection[OtherHealer]],
    ) -> None:
        self.policy = policy
        self.findings = OpenFindings()
        self.pauses_known = asyncio.Event()
        self.heard_at: Callable[[], datetime | None] = lambda: None  # last word of health_monitor
        self.storm_at: Callable[[], datetime | None] = lambda: None  # last storm that it told
        self.on_pauses: Callable[[], None] = lambda: None  # called when one was put or lifted
        self.snapshot = watch.store
        self._watch = watch
        self._clock = clock
        self._past = past
        self._alerts = alerts
        self._other_healers = other_healers
        self._sight = SightKeeper()
        self._pauses: tuple[Pause, ...] = ()
        self._complaint = Complaint(logger, clock)

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        await self._watch.synced.wait()
        self._sight.synced_at = self._clock.now()
        async for batch in self._watch.changes():
            self._sight.saw(batch.changes, batch.outages_ended, self._clock.now())

    async def follow_pauses(self, stored: Pauses) -> None:
        """Until cancelled. While the database is away the last ones known hold; without it nothing is done anyway."""
        while True:
            try:
                pauses = tuple(await stored.list(self._clock.now()))
            except DatabaseError as error:
                self._complaint.warn(f"pauses cannot be read: {error}")
            else:
                self._complaint.over()
                if pauses != self._pauses:
                    self._pauses = pauses
                    self.on_pauses()
                self.pauses_known.set()
            await asyncio.sleep(PAUSES_SECONDS)

    def pauses(self) -> Sequence[Pause]:
        """Those in force now."""
        now = self._clock.now()
        return [each for each in self._pauses if each.until is None or each.until > now]

    def world(self, history: History | None = None) -> World:
        """Now. `history` stands in for all that was done lately."""
        now = self._clock.now()
        return World(
            now=now,
            snapshot=self.snapshot,
            policy=self.policy(),
            history=self._past if history is None else history,
            pauses=self.pauses(),
            alerts=self._alerts(),
            sight=self._sight.sight(now, heard_at=self.heard_at(), storm_at=self.storm_at()),
            open_findings=self.findings,
            other_healers=self._other_healers(),
        )
