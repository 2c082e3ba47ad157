"""A message the whole way to every canary channel, on schedule and whenever the channels change, timed.

First an empty post goes through intake and pipeline, then a line through the queue to the vendor, and last the address
that presses come back to is asked, from outside.

One that does not arrive is an alert of its own, which goes the way of all alerts: by other channels too.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from alert_service.channels.channel import Buttons, Channel
from alert_service.incidents.alert import AlertSeverity, Source
from alert_service.intake.own_alerts import OwnAlerts
from alert_service.policy.settings import AlertPolicy
from alert_service.rehearsal.report import Outcome, Report, Step, Tried
from alert_service.rehearsal.way_back import WayBack
from alert_service.routing.wanted import DeliveryKind, DeliveryState, NotifyReason, Wanted
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.inbox import Inbox, InboxFull
from alert_service.storage.rehearsals import RehearsalKind, Rehearsals, Sent, drop_waiting
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

ALERT = "CanaryMissing"
INTAKE = "intake"  # stands for a channel in the report
_EMPTY_POST = b'{"version":"4","groupKey":"canary","status":"resolved","alerts":[]}'
_LOOK_SECONDS = 1.0
_POLL_SECONDS = 0.2


class Canary:
    """`on_result` is told of each channel, and whether it arrived in time."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        deliveries: Deliveries,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
        channel: Callable[[str], Channel | None],
        way_back: WayBack | None,
        alarms: OwnAlerts,
        on_result: Callable[[str, bool], None],
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._deliveries = deliveries
        self._rehearsals = Rehearsals(database)
        self._clock = clock
        self._policy = policy
        self._channel = channel
        self._way_back = way_back
        self._alarms = alarms
        self._on_result = on_result
        self._flown: object = None  # the part of the policy that the last one tried
        self._complaint = Complaint(logger, clock)

    async def run(self) -> None:
        """Until cancelled. A new leader goes on where the one before was."""
        self._flown = _tries(self._policy())
        while True:
            try:
                if await self.due():
                    await self.fly()
                self._complaint.over()
            except (DatabaseError, InboxFull) as error:
                self._complaint.warn(f"the canary waits for the database: {error}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def due(self) -> bool:
        """Whether it is time for one."""
        policy = self._policy()
        if not policy.canary.channels:
            return False
        if self._flown != _tries(policy):
            return True
        last = await self._rehearsals.last(RehearsalKind.CANARY)
        return last is None or self._clock.now() - last.started_at >= policy.canary.every

    async def fly(self) -> Report:
        """One, now. Raises DatabaseError."""
        policy, now = self._policy(), self._clock.now()
        self._flown = _tries(policy)
        made = await self._rehearsals.begin(RehearsalKind.CANARY, now)
        channels = list(dict.fromkeys(policy.canary.channels))
        steps = [await self._taken_in(str(made), policy.canary.within)]
        queued_at = self._clock.now()
        async with self._database.begin() as connection:
            await drop_waiting(connection, NotifyReason.CANARY)  # of a leader that died meanwhile
            await self._deliveries.queue(connection, _messages(channels, now), received_at=queued_at, now=queued_at)
        sent = await self._arrived(queued_at, policy.canary.within)
        async with self._database.begin() as connection:
            await drop_waiting(connection, NotifyReason.CANARY)
        steps += [_judged(each, queued_at, policy.canary.within) for each in sent]
        steps += [step for each in channels if (step := await self._came_back(each)) is not None]
        report = Report(started_at=now, ended_at=self._clock.now(), steps=tuple(steps))
        await self._rehearsals.end(made, at=report.ended_at, passed=report.passed, report=report.to_json())
        await self._tell(report, channels)
        return report

    async def _taken_in(self, key: str, within: timedelta) -> Step:
        """A post without alerts changes nothing, but is stored and worked off like any other."""
        at, start = self._clock.now(), self._clock.monotonic()
        detail = ""
        try:
            await self._inbox.put(Source.SELF, key, _EMPTY_POST, at)
            while not await self._rehearsals.worked_off(key):
                if self._clock.monotonic() - start >= within.total_seconds():
                    detail = f"what comes in takes no effect within {within.total_seconds():g} s"
                    break
                await asyncio.sleep(_POLL_SECONDS)
        except InboxFull as error:
            detail = str(error)
        return Step(
            channel=INTAKE,
            tried=Tried.INTAKE,
            what="a post is stored and takes effect",
            outcome=Outcome.FAILED if detail else Outcome.DONE,
            at=at,
            seconds=self._clock.monotonic() - start,
            detail=detail,
        )

    async def _arrived(self, queued_at: datetime, within: timedelta) -> Sequence[Sent]:
        """Once all have, or the time is over."""
        deadline = self._clock.monotonic() + within.total_seconds()
        while True:
            sent = await self._rehearsals.sent(NotifyReason.CANARY, queued_at)
            if all(each.state.ended for each in sent) or self._clock.monotonic() >= deadline:
                return sent
            await asyncio.sleep(_POLL_SECONDS)

    async def _came_back(self, name: str) -> Step | None:
        """Whether presses would reach this service; None where nothing comes back, or its address is not known."""
        channel = self._channel(name)
        if self._way_back is None or channel is None or channel.abilities.buttons is not Buttons.NATIVE:
            return None
        at = self._clock.now()
        looked = await self._way_back.slack()
        return Step(
            channel=name,
            tried=Tried.WAY_BACK,
            what="where Slack posts presses to",
            outcome=Outcome.FAILED if looked.error else Outcome.DONE,
            at=at,
            seconds=looked.seconds,
            detail=looked.error,
        )

    async def _tell(self, report: Report, channels: Sequence[str]) -> None:
        """An alarm that another leader raised ends too."""
        for name in channels:
            why = "; ".join(each.detail for each in report.failed if each.channel in (name, INTAKE))
            self._on_result(name, not why)
            if why:
                logger.warning("the canary of channel %s failed: %s", name, why)
                await self._alarms.raise_alarm(_labels(name), _annotations(name, why))
            else:
                await self._alarms.end_alarm(_labels(name))


def _labels(channel: str) -> dict[str, str]:
    return {"alertname": ALERT, "severity": AlertSeverity.CRITICAL.value, "channel": channel}


def _annotations(channel: str, why: str) -> dict[str, str]:
    return {
        "summary": f"Alerts may not reach channel {channel}",
        "description": f"The canary of channel {channel} did not arrive: {why}",
    }


def _tries(policy: AlertPolicy) -> object:
    return policy.canary, [policy.channels.get(name) for name in policy.canary.channels]


def _messages(channels: Sequence[str], now: datetime) -> list[Wanted]:
    text = f"Canary of {now:%Y-%m-%d %H:%M:%S} UTC: alerts would arrive here"
    kind, reason = DeliveryKind.PLAIN, NotifyReason.CANARY
    return [Wanted(kind=kind, channel=each, reason=reason, text=text) for each in channels]


def _judged(sent: Sent, queued_at: datetime, within: timedelta) -> Step:
    seconds = ((sent.ended_at or queued_at) - queued_at).total_seconds()
    arrived = sent.state in (DeliveryState.POSTED, DeliveryState.ACCEPTED, DeliveryState.ACTED)
    late = f"not sent within {within.total_seconds():g} s"
    detail = "" if arrived and seconds <= within.total_seconds() else sent.error or late
    taken = Outcome.ACCEPTED if sent.state is DeliveryState.ACCEPTED else Outcome.POSTED
    return Step(
        channel=sent.channel,
        tried=Tried.POST,
        what="a canary",
        outcome=Outcome.FAILED if detail else taken,
        at=queued_at,
        seconds=seconds,
        message_id=sent.message_id,
        detail=detail,
    )
