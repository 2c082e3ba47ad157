"""Makes, changes and ends silences in Alertmanager, and remembers who made them and what for."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alert_service.clients.alertmanager import Alertmanager, GettableAlert, GettableSilence
from alert_service.clients.asking import Refused, Unavailable
from alert_service.clients.prometheus import Prometheus
from alert_service.incidents.acts import Act, Person
from alert_service.incidents.alert import Labels
from alert_service.incidents.incident import Incident
from alert_service.incidents.severity import severity_of
from alert_service.policy import AlertPolicy
from alert_service.policy.settings import SeverityPart
from alert_service.routing.matchers import Matcher, all_match
from alert_service.silences.scope import (
    Muted,
    Preview,
    Request,
    SilenceReason,
    SilenceRefused,
    check,
    check_width,
    fired_within_30_days,
    matchers_of,
    unheard,
)
from alert_service.storage.silences import Kept, SilenceRows
from common.clock import Clock

logger = logging.getLogger(__name__)

# One that holds until its incident resolves ends so long after this service has: nothing is muted for ever by accident.
LOAN = timedelta(hours=1)
_MONTH = timedelta(days=30)
_HISTORY_SECONDS = 5.0  # whoever has pressed a button waits for it
_NOT_FOUND = 404


class Silencing:
    """Every method raises Unavailable and Refused as Alertmanager does, SilenceRefused, and DatabaseError."""

    def __init__(
        self,
        alertmanager: Alertmanager,
        rows: SilenceRows,
        clock: Clock,
        *,
        prometheus: Prometheus | None,
        policy: Callable[[], AlertPolicy],
    ) -> None:
        self.alertmanager = alertmanager
        self.rows = rows
        self._prometheus = prometheus
        self._clock = clock
        self._policy = policy

    async def preview(self, matchers: Sequence[Matcher]) -> Preview:
        """What it would mute. Whatever fires counts, also what another silence mutes already."""
        firing = await self.firing(matchers)
        told = await self.rows.told(matchers, self._clock.now() - _MONTH)
        return Preview(now=firing, month=[*told, *await self._unheard(matchers, [*firing, *told])])

    async def _unheard(self, matchers: Sequence[Matcher], known: Sequence[Muted]) -> Sequence[Muted]:
        """What fired, and was never told here. Without Prometheus, or its answer in time, that is not known."""
        if self._prometheus is None:
            return ()
        try:
            async with asyncio.timeout(_HISTORY_SECONDS):
                fired = await self._fired(self._prometheus, matchers)
        except (Unavailable, Refused, TimeoutError) as error:
            why = str(error) or f"Prometheus did not answer within {_HISTORY_SECONDS:g} s"
            logger.warning("a preview knows only what was told here: %s", why)
            return ()
        return list(unheard(fired, known, self._policy().severities))

    async def _fired(self, prometheus: Prometheus, matchers: Sequence[Matcher]) -> Sequence[Labels]:
        """It stores alerts without the labels that it adds when it sends them, which the matchers may ask for."""
        added = await prometheus.external_labels()
        stored = [each for each in matchers if each.name not in added]
        series = await prometheus.query(fired_within_30_days(stored), self._clock.now())
        return [each.labels for each in series if all_match(matchers, {**added, **each.labels})]

    async def firing(self, matchers: Sequence[Matcher]) -> list[Muted]:
        """What fires now, as Alertmanager says."""
        part = self._policy().severities
        return [_muted(each, part) for each in await self.alertmanager.alerts(matchers=matchers)]

    async def left_by(self, known: Kept) -> list[Muted]:
        """What fires and would be told without it: no other silence mutes it, and no other alert inhibits it."""
        part = self._policy().severities
        firing = await self.alertmanager.alerts(matchers=known.matchers, inhibited=False)
        return [_muted(each, part) for each in firing if {*each.status.silenced_by} <= {known.id}]

    async def for_incident(self, incident: Incident, wanted: Act) -> Kept:
        """As a button asks for it: until its time is over or, without one, until the incident resolves.

        One that the incident has already is made longer instead.
        """
        if not incident.open:
            raise SilenceRefused(SilenceReason.NOT_OPEN, "it is resolved: there is nothing to silence")
        now = self._clock.now()
        until_resolved = wanted.duration is None
        request = Request(
            matchers=matchers_of(incident),
            starts_at=now,
            ends_at=now + (wanted.duration or LOAN),
            by=wanted.by,
            comment=wanted.text,
        )
        known = await self._standing(incident)
        if known is not None:
            longer = replace(known, ends_at=max(known.ends_at, request.ends_at), until_resolved=until_resolved)
            check(replace(request, starts_at=known.starts_at, ends_at=longer.ends_at), self._policy().silences)
            return await self._change(longer)
        comment = wanted.text or f"silenced by {wanted.by.shown} on the card of incident {incident.id}"
        made = await self._checked(request)
        kept = _kept(made, comment, now, incident=incident, until_resolved=until_resolved)
        return await self._make(kept)

    async def create(self, wanted: Request) -> Kept:
        """As the API asks for it."""
        made = await self._checked(wanted)
        return await self._make(_kept(made, wanted.comment, self._clock.now()))

    async def extend(self, silence_id: str, ends_at: datetime, by: Person) -> Kept:
        """Gives it another end; its id may change. Whoever does that answers for it from then on."""
        known = await self._known(silence_id)
        wanted = Request(
            matchers=known.matchers, starts_at=known.starts_at, ends_at=ends_at, by=by, comment=known.comment
        )
        await self._checked(replace(wanted, starts_at=max(known.starts_at, self._clock.now())))
        return await self._change(replace(known, ends_at=ends_at, created_by=by.name, reminded_at=None))

    async def expire(self, silence_id: str) -> None:
        """Ends it now; one that has ended is as wanted."""
        await self.alertmanager.expire(silence_id)
        await self.rows.ended(silence_id, self._clock.now())

    async def put_off(self, known: Kept, ends_at: datetime) -> Kept:
        """As `extend`, in the name of whoever made it."""
        return await self._change(replace(known, ends_at=ends_at))

    async def _standing(self, incident: Incident) -> Kept | None:
        """The one that it has, if Alertmanager has it still."""
        kept = await self.rows.of_incident(incident.id)
        try:
            return None if kept is None else await self._known(kept.id)
        except SilenceRefused:
            return None

    async def _checked(self, wanted: Request) -> Request:
        part = self._policy().silences
        check(wanted, part)
        check_width(wanted, await self.preview(wanted.matchers), part)
        return wanted

    async def _make(self, made: Kept) -> Kept:
        """Were this replica to end before it is remembered, Alertmanager ends it by itself."""
        kept = replace(made, id=await self._told(made))
        await self.rows.keep(kept)
        return kept

    async def _change(self, changed: Kept) -> Kept:
        """Its beginning has to be as Alertmanager has it, which may be a moment later than asked for: else it ends
        that one, and makes another."""
        try:
            new_id = await self._told(changed, silence_id=changed.id)
        except Refused as refused:
            if refused.status == _NOT_FOUND:
                raise _gone(changed.id) from None
            raise
        kept = changed if new_id == changed.id else replace(changed, id=new_id, created_at=self._clock.now())
        await self.rows.keep(kept, instead_of=changed.id)
        return kept

    async def _told(self, made: Kept, silence_id: str | None = None) -> str:
        return await self.alertmanager.create(
            made.matchers,
            starts_at=made.starts_at,
            ends_at=made.ends_at,
            created_by=made.created_by,
            comment=made.comment,
            silence_id=silence_id,
        )

    async def _known(self, silence_id: str) -> Kept:
        """Also one that was made elsewhere. What Alertmanager says of it holds."""
        there = await self.alertmanager.silence(silence_id)
        if there is None or there.over:
            raise _gone(silence_id)
        known = await self.rows.get(silence_id)
        if known is None:
            return _taken_over(there, self._clock.now())
        return replace(known, starts_at=there.starts_at, ends_at=there.ends_at)


def _gone(silence_id: str) -> SilenceRefused:
    return SilenceRefused(SilenceReason.GONE, f"the silence {silence_id} has ended: make a new one")


def _muted(alert: GettableAlert, part: SeverityPart) -> Muted:
    labels = alert.labels
    severity = severity_of(labels, part)
    return Muted(fingerprint=alert.fingerprint, name=labels.get("alertname", ""), severity=severity, labels=labels)


def _kept(
    wanted: Request, comment: str, now: datetime, *, incident: Incident | None = None, until_resolved: bool = False
) -> Kept:
    return Kept(
        id="",
        incident_id=None if incident is None else incident.id,
        matchers=wanted.matchers,
        created_by=wanted.by.name,
        comment=comment,
        created_at=now,
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
        until_resolved=until_resolved,
    )


def _taken_over(there: GettableSilence, now: datetime) -> Kept:
    return Kept(
        id=there.id,
        incident_id=None,
        matchers=there.matchers,
        created_by=there.created_by,
        comment=there.comment,
        created_at=now,
        starts_at=there.starts_at,
        ends_at=there.ends_at,
    )
