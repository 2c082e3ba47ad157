"""Looks for what nobody uses any more, when its time has come: counts, marks, tells the owner, proposes a run.

Runs while this replica leads. Nothing is deleted here: a run that was allowed does that.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from auto_healing.actions.cleanup import CLEANUP_ACTIONS
from auto_healing.actions.cleanup.engine import Cleanup
from auto_healing.actions.cleanup.rule import Found
from auto_healing.actions.cleanup.settings import RuleSettings
from auto_healing.cleanup.looking import look_for
from auto_healing.cleanup.planning import acts_on, is_paused, plans_of
from auto_healing.cleanup.telling import tell, untell
from auto_healing.kube.cluster import Cluster, NotActing
from auto_healing.plan import Mode, Plan
from auto_healing.storage.fence import Deposed
from auto_healing.storage.proposing import Answer, Proposal
from auto_healing.storage.tombstones import LastLook, Ripening, Tombstone, Tombstones
from auto_healing.world import World
from common.clock import Clock
from common.database.errors import DatabaseError
from common.kube.errors import Forbidden, KubeError
from common.logs import Complaint

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
_AFTER_FAILURE_SECONDS, _LONGEST_PAUSE_SECONDS = 60.0, 3600.0
POLICY = "policy"
ACTING = frozenset({Mode.APPROVE, Mode.AUTO})


class Proposing(Protocol):
    async def propose(self, proposals: Sequence[Proposal | Plan], *, epoch: int | None) -> list[Answer]: ...


class Observer(Protocol):
    """Counts what looks come to."""

    def looked(
        self, rule: str, *, marked: int, stones: Sequence[Tombstone], unproven: int, answers: Sequence[Answer]
    ) -> None:
        """`marked` are new among the stones."""

    def forget_looks(self) -> None:
        """Another replica looks from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one look came to. `due` may go now, as far as runs allow it."""

    found: Found
    stones: tuple[Tombstone, ...]
    plans: tuple[Plan, ...]

    @property
    def due(self) -> tuple[Tombstone, ...]:
        return tuple(stone for stone in self.stones if stone.due_at is not None)


class Cleaner:
    """`world` gives the instant that is looked at."""

    def __init__(
        self,
        *,
        tombstones: Tombstones,
        runs: Proposing,
        cluster: Cluster,
        world: Callable[[], World],
        clock: Clock,
        observer: Observer,
        rules: Sequence[Cleanup] = CLEANUP_ACTIONS,
    ) -> None:
        self._tombstones = tombstones
        self._runs = runs
        self._cluster = cluster
        self._world = world
        self._clock = clock
        self._rules = {rule.code: rule for rule in rules}
        self._since = clock.now()
        self._observer = observer
        self._pauses: dict[str, tuple[float, float]] = {}  # after failures, by rule: until when, how long; stopwatch
        self._said: dict[str, str] = {}  # by rule: what it lacks, as was told last
        self._complaint = Complaint(logger, clock)

    async def run(self, epoch: int) -> None:
        """The leader's duty, until cancelled."""
        self._since = self._clock.now()
        recalled = False
        try:
            while True:
                try:
                    if not recalled:
                        await self._recall()
                        recalled = True
                    await self.once(epoch)
                    self._complaint.over()
                except (DatabaseError, NotActing, Deposed) as error:
                    self._complaint.warn(f"cleanup waits: {error}")
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self._observer.forget_looks()

    async def _recall(self) -> None:
        """Tell the observer what the last leader's looks came to."""
        for code, last in (await self._tombstones.last_looks()).items():
            if code in self._rules and last.result is not None:
                stones, unproven = await self._tombstones.of(code), int(last.result.get("unproven", 0))
                self._observer.looked(code, marked=0, stones=stones, unproven=unproven, answers=())

    async def once(self, epoch: int) -> list[str]:
        """Look for every rule whose time has come, or that a person has asked for; their codes."""
        looks = await self._tombstones.last_looks()
        now, policy = self._clock.now(), self._world().policy.cleanup
        self._since = min(self._since, now)
        done = []
        for code, rule in self._rules.items():
            last = looks.get(code)
            asked_by = last.asked_by if last is not None and last.asked else ""
            if not asked_by and not self._is_time(code, policy.rule(code), last, now):
                continue
            done.append(code)
            try:
                await self.look(rule, epoch=epoch, by=asked_by or POLICY)
            except KubeError as error:
                self._pause(code)
                self._lacks(code, f"{code} could not look: {error}")
                await self._tombstones.failed(code, _failed(error, asked_by), epoch=epoch)
            else:
                self._pauses.pop(code, None)
        return done

    async def look(self, rule: Cleanup, *, epoch: int, by: str = POLICY) -> Scan:
        """One look with all that follows from it. A person's look marks, also where the rule only observes.

        Raises KubeErrors, NotActing, Deposed and DatabaseError; whatever was done is in order then, and the next look
        goes on.
        """
        world, by_hand = self._world(), by != POLICY
        settings = world.policy.cleanup.rule(rule.code)
        acts = by_hand or settings.mode in ACTING
        known = {stone.ref.uid: stone for stone in await self._tombstones.of(rule.code)}
        found = await look_for(rule, world, self._cluster, known)
        uids = {each.ref.uid for each in found.candidates}
        await untell(rule, self._cluster, [stone for uid, stone in known.items() if stone.told and uid not in uids])
        await self._tombstones.seen(
            rule.code,
            [(each.ref, each.reason) for each in found.candidates],
            at=world.now,
            ripening=Ripening(scans=settings.scans, grace=settings.grace, acts=acts),
            epoch=epoch,
        )
        untold = await self._tell(rule, world, by_hand=by_hand, epoch=epoch) if acts else ""
        self._lacks(rule.code, untold)
        stones = await self._tombstones.of(rule.code)
        plans = [] if by_hand else self._plans(rule, stones, world, found.total)
        answers = await self._runs.propose(plans, epoch=epoch) if plans else []
        result = _result(found, stones, settings, answers, by=by, failed=untold)
        await self._tombstones.looked(rule.code, result, at=world.now, epoch=epoch)
        self._observer.looked(
            rule.code,
            marked=len(uids - known.keys()),
            stones=stones,
            unproven=len(found.unproven),
            answers=answers,
        )
        return Scan(found=found, stones=tuple(stones), plans=tuple(plans))

    async def _tell(self, rule: Cleanup, world: World, *, by_hand: bool, epoch: int) -> str:
        """Tell the owners of what they do not know yet, but for places that are paused or have not opted in.

        Why that may not be: the look counts all the same, and without having been told nothing goes.
        """
        untold = [
            stone
            for stone in await self._tombstones.of(rule.code)
            if not stone.told and not is_paused(world, stone.ref.namespace)
            if by_hand or acts_on(world, stone.ref)
        ]
        try:
            told = await tell(rule, self._cluster, untold, world, world.policy.cleanup.rule(rule.code))
        except Forbidden as error:
            return f"{rule.code} may not tell owners, so it deletes nothing: {error}"
        if told:
            await self._tombstones.told(rule.code, told, at=world.now, epoch=epoch)
        return ""

    def _pause(self, code: str) -> None:
        """A minute after the first failure, an hour at most: nobody is in a hurry here, and rights may be granted."""
        _, last = self._pauses.get(code, (0.0, _AFTER_FAILURE_SECONDS / 2))
        pause = min(2 * last, _LONGEST_PAUSE_SECONDS)
        self._pauses[code] = (self._clock.monotonic() + pause, pause)

    def _lacks(self, code: str, words: str) -> None:
        """Warn of the same once; no words: it lacks nothing any more."""
        if words and self._said.get(code) != words:
            logger.warning("%s", words)
        self._said[code] = words

    def _plans(self, rule: Cleanup, stones: Sequence[Tombstone], world: World, total: int) -> list[Plan]:
        mode = world.policy.cleanup.rule(rule.code).mode
        due = [stone for stone in stones if stone.due_at is not None]
        if mode in ACTING:
            due = [stone for stone in due if stone.told and acts_on(world, stone.ref)]
        if not due or mode is Mode.OFF:
            return []
        return plans_of(rule, due, world, total=total, mode=mode)

    def _is_time(self, code: str, settings: RuleSettings, last: LastLook | None, now: datetime) -> bool:
        next_at = next_look(settings, last, self._since, now)
        paused_until, _ = self._pauses.get(code, (0.0, 0.0))
        return next_at is not None and next_at <= now and paused_until <= self._clock.monotonic()


def next_look(settings: RuleSettings, last: LastLook | None, since: datetime, now: datetime) -> datetime | None:
    """When a rule looks next by its schedule, first after `since`; None when it is off.

    A look of later than now, after the clock was set back, is none that others wait for.
    """
    if settings.mode is Mode.OFF:
        return None
    looked_at = None if last is None else last.looked_at
    return settings.timetable.next_after(since if looked_at is None or looked_at > now else looked_at)


def _result(
    found: Found,
    stones: Sequence[Tombstone],
    settings: RuleSettings,
    answers: Sequence[Answer],
    *,
    by: str,
    failed: str,
) -> Mapping[str, Any]:
    runs = [answer.run for answer in answers if answer.run is not None]
    return {
        "by": by,
        "objects": found.total,
        "unused": len(found.candidates),
        "unproven": len(found.unproven),
        "told": sum(stone.told for stone in stones),
        "due": sum(stone.due_at is not None for stone in stones),
        "most": settings.most_of(found.total),
        "run": str(runs[0].id) if runs else None,
        "declined": [decline.message for answer in answers for decline in answer.declined],
        "failed": failed or None,
    }


def _failed(error: KubeError, asked_by: str) -> Mapping[str, Any]:
    return {"by": asked_by or POLICY, "failed": str(error)}
