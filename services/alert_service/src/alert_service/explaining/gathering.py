"""Gathers what an explanation rests on: the incidents of an alert, and what Alertmanager makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from alert_service.clients.alertmanager import Alertmanager, GettableAlert, GettableSilence
from alert_service.clients.asking import Refused, Unavailable
from alert_service.explaining.explain import Explanation, explained
from alert_service.explaining.foresight import Foresight, imagined, what_if
from alert_service.incidents.alert import Source
from alert_service.incidents.notices import joined
from alert_service.incidents.settle import Surroundings
from alert_service.policy import AlertPolicy
from alert_service.reconciling.inhibition import inhibit_rules
from alert_service.routing.matchers import all_match, matcher
from alert_service.routing.routing import Routes
from alert_service.storage.explanations import Explanations

_MOST_INCIDENTS = 5  # one alert is in several groups where routes of Alertmanager go on
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceShown:
    """A silence that matches it."""

    id: str
    matchers: Sequence[str]
    ends_at: datetime
    created_by: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibitor:
    """An alert that keeps it from being told."""

    fingerprint: str
    alertname: str
    labels: Mapping[str, str]
    rule: Annotated[str, Field(description="Of Alertmanager's configuration; empty: Alertmanager does not say")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What Alertmanager makes of it."""

    asked: Annotated[bool, Field(description="false: none is set up, or it is no alert of Alertmanager's")]
    state: Annotated[str, Field(description="active, suppressed, unprocessed; empty: it does not fire there")] = ""
    silences: Sequence[SilenceShown] = ()
    inhibitors: Sequence[Inhibitor] = ()
    mute_times: Annotated[Sequence[str], Field(description="Names of its time intervals that mute it now")] = ()
    receivers: Sequence[str] = ()
    trouble: Annotated[str, Field(description="Why it could not be asked; empty: it was, or there is none")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertExplained:
    """One alert, in each incident that it is in; those that are open come first."""

    fingerprint: str
    labels: Mapping[str, str]
    firing: bool
    incidents: Sequence[Explanation]
    alertmanager: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseeing:
    """What would become of an alert, as far as this service and Alertmanager can tell."""

    at: datetime
    alert: Foresight
    alertmanager: Annotated[Standing, Field(description="By the silences and inhibition rules that are there now")]


class Explaining:
    """With the policy as it is now. `alertmanager` is None where none is set up."""

    def __init__(
        self, stored: Explanations, alertmanager: Alertmanager | None, *, policy: AlertPolicy, routes: Routes
    ) -> None:
        self._stored = stored
        self._alertmanager = alertmanager
        self._policy = policy
        self._routes = routes

    async def alert(self, fingerprint: str, *, now: datetime) -> AlertExplained | None:
        """None when no incident that is kept has it. Raises DatabaseError."""
        incidents = await self._stored.of_alert(fingerprint, limit=_MOST_INCIDENTS)
        if not incidents:
            return None
        parents = await self._stored.by_ids([each.parent_id for each in incidents if each.parent_id is not None])
        first = incidents[0].members[fingerprint]
        return AlertExplained(
            fingerprint=fingerprint,
            labels=first.alert.labels,
            firing=first.firing and incidents[0].open,
            incidents=[
                explained(
                    each,
                    parents.get(each.parent_id or each.id),
                    self._policy,
                    self._routes,
                    at=now,
                    alert=each.members[fingerprint].alert,
                )
                for each in incidents
            ],
            alertmanager=await self._standing(incidents[0].source, fingerprint, first.alert.labels),
        )

    async def incident(self, incident_id: UUID, *, now: datetime) -> Explanation | None:
        """As `alert`, of one incident alone, and without asking Alertmanager."""
        found = (await self._stored.by_ids([incident_id])).get(incident_id)
        if found is None:
            return None
        parents = await self._stored.by_ids([found.parent_id] if found.parent_id else [])
        return explained(found, parents.get(found.parent_id or found.id), self._policy, self._routes, at=now)

    async def what_if(
        self, labels: Mapping[str, str], annotations: Mapping[str, str], *, at: datetime, now: datetime
    ) -> Foreseeing:
        """As if an alert with these labels fired then. When that is soon, what is going on now is taken into account:
        incidents that explain it, storms, healing of what it is about, and whose turn it is.

        Raises DatabaseError.
        """
        opened = imagined(labels, annotations, self._policy, at=at)
        around = Surroundings(policy=self._policy, routes=self._routes)
        if abs(at - now) <= self._policy.correlation.within:
            seen = await self._stored.surroundings(opened.incident, self._policy, now=now)
            opened = opened.then(joined(opened.incident, seen.healing, now=at))
            around = replace(around, near=seen.near, turn=seen.rota.next)
            if at - now <= self._policy.storm.calm_for:
                around = replace(around, storming=seen.weather.hides)
        return Foreseeing(at=at, alert=what_if(opened, around, at=at), alertmanager=await self._foreseen(labels, at))

    async def _standing(self, source: Source, fingerprint: str, labels: Mapping[str, str]) -> Standing:
        if self._alertmanager is None or source is not Source.ALERTMANAGER:
            return Standing(asked=False)
        try:
            exactly = [matcher(name, value) for name, value in labels.items()]
            found = await self._alertmanager.alerts(matchers=exactly)
            return await self._stands(next((each for each in found if each.fingerprint == fingerprint), None))
        except (Unavailable, Refused) as error:
            return Standing(asked=True, trouble=str(error))

    async def _stands(self, found: GettableAlert | None) -> Standing:
        if found is None or self._alertmanager is None:
            return Standing(asked=True)
        silences = [await self._alertmanager.silence(each) for each in found.status.silenced_by[:_MOST_NAMED]]
        return Standing(
            asked=True,
            state=found.status.state,
            silences=[_shown(each) for each in silences if each is not None],
            inhibitors=await self._known(found.status.inhibited_by[:_MOST_NAMED]),
            mute_times=found.status.muted_by,
            receivers=[each.name for each in found.receivers],
        )

    async def _known(self, fingerprints: Sequence[str]) -> list[Inhibitor]:
        """Alertmanager names them by their fingerprints alone."""
        labels = await self._stored.labels_of(fingerprints)
        return [_inhibitor(each, labels.get(each, {})) for each in fingerprints]

    async def _foreseen(self, labels: Mapping[str, str], at: datetime) -> Standing:
        if self._alertmanager is None:
            return Standing(asked=False)
        try:
            silences = [each for each in await self._alertmanager.silences() if _mutes(each, labels, at)]
            inhibitors = await self._inhibitors(self._alertmanager, labels)
        except (Unavailable, Refused, ValueError) as error:
            return Standing(asked=True, trouble=str(error))
        return Standing(
            asked=True,
            state="suppressed" if silences or inhibitors else "active",
            silences=[_shown(each) for each in silences[:_MOST_NAMED]],
            inhibitors=inhibitors[:_MOST_NAMED],
        )

    async def _inhibitors(self, alertmanager: Alertmanager, labels: Mapping[str, str]) -> list[Inhibitor]:
        """Among what fires now."""
        found = []
        for rule in inhibit_rules((await alertmanager.status()).config.original):
            sources = rule.inhibitors_of(labels)
            if sources is None:
                continue
            firing = await alertmanager.alerts(matchers=sources)
            # One that is on both sides of a rule is not inhibited by others that are.
            both = all_match(rule.sources, labels)
            found += [
                _inhibitor(each.fingerprint, each.labels, rule.name)
                for each in firing
                if not (both and all_match(rule.targets, each.labels))
            ]
        return found


def _mutes(silence: GettableSilence, labels: Mapping[str, str], at: datetime) -> bool:
    """Raises ValueError for a pattern that cannot be read."""
    if silence.over or not silence.starts_at <= at < silence.ends_at:
        return False
    return all_match(silence.matchers, labels)


def _shown(silence: GettableSilence) -> SilenceShown:
    return SilenceShown(
        id=silence.id,
        matchers=silence.matcher_texts,
        ends_at=silence.ends_at,
        created_by=silence.created_by,
        comment=silence.comment,
    )


def _inhibitor(fingerprint: str, labels: Mapping[str, str], rule: str = "") -> Inhibitor:
    return Inhibitor(fingerprint=fingerprint, alertname=labels.get("alertname", ""), labels=labels, rule=rule)
