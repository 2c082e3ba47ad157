"""Who is told of an incident: routes asked in their order. Pure, and compiled once for each policy."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from alert_service.incidents.alert import Alert, AlertSeverity
from alert_service.incidents.incident import Incident
from alert_service.intake import heartbeat
from alert_service.policy.routing import RoutePart
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.matchers import Matcher, parse_matcher
from common.hours import Hours

_MOST_REMEMBERED = 10_000  # different sets of labels


class RouteReason(StrEnum):
    """Why a route was taken, or was not."""

    TAKEN = "taken"
    LABELS = "labels"  # a matcher does not match
    SEVERITY = "severity"
    HOURS = "hours"
    NEVER = "never"  # this severity is told nobody
    ANNOTATION = "annotation"  # an annotation of the alert, or of its namespace, names one more channel
    NO_CHANNEL = "no_channel"  # it does, and the policy has none of that name


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One route that was asked, and what it answered."""

    route: str
    reason: RouteReason
    detail: str = ""  # the matcher, the severity, the hours, the channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """Whom the routes name."""

    channels: tuple[str, ...]
    escalation: str | None
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    part: RoutePart
    matchers: tuple[tuple[Matcher, Asked], ...]  # each with what is answered where it does not match
    severities: frozenset[AlertSeverity]
    hours: Hours | None

    @classmethod
    def of(cls, part: RoutePart, policy: AlertPolicy) -> "_Compiled":
        matchers = map(parse_matcher, part.match)
        return cls(
            part=part,
            matchers=tuple(
                (each, Asked(route=part.name, reason=RouteReason.LABELS, detail=str(each))) for each in matchers
            ),
            severities=frozenset(part.severities),
            hours=None if part.hours is None else policy.hours[part.hours],
        )

    def missed(self, labels: Mapping[str, str]) -> Asked | None:
        for matcher, answer in self.matchers:
            if not matcher.matches(labels):
                return answer
        return None

    def fits(self, labels: Mapping[str, str], severity: AlertSeverity) -> bool:
        """But for the hours."""
        return self.missed(labels) is None and (not self.severities or severity in self.severities)

    def answer(self, labels: Mapping[str, str], severity: AlertSeverity, at: datetime) -> Asked:
        """Whether it is taken, with the reason."""
        missed = self.missed(labels)
        if missed is not None:
            return missed
        if self.severities and severity not in self.severities:
            return Asked(route=self.part.name, reason=RouteReason.SEVERITY, detail=severity)
        if self.hours is not None and not self.hours.contains(at):
            return Asked(route=self.part.name, reason=RouteReason.HOURS, detail=self.part.hours or "")
        return Asked(route=self.part.name, reason=RouteReason.TAKEN)


class Routes:
    """The routes of one policy. Alerts that agree in the labels that routes ask for are routed once."""

    def __init__(self, policy: AlertPolicy) -> None:
        self._policy = policy
        # An alert of Prometheus can have no annotation of the name that a Kubernetes object has.
        self._annotations = (policy.namespace_annotation, re.sub(r"\W", "_", policy.namespace_annotation))
        self._of_heartbeats = {part.name: part.channels for part in policy.heartbeats}
        self._compiled = tuple(_Compiled.of(part, policy) for part in policy.routes)
        self._names = tuple(sorted({matcher.name for each in self._compiled for matcher, _ in each.matchers}))
        self._fitting = lru_cache(maxsize=_MOST_REMEMBERED)(self._that_fit)

    def _that_fit(self, values: tuple[str, ...], severity: AlertSeverity) -> tuple[_Compiled, ...]:
        """Those that are asked for their hours, by what the labels of `_names` say."""
        labels, found = dict(zip(self._names, values, strict=True)), list[_Compiled]()
        for each in self._compiled:
            if each.fits(labels, severity):
                found.append(each)
                if each.hours is None and not each.part.go_on:
                    break
        return tuple(found)

    def route(
        self, labels: Mapping[str, str], annotations: Mapping[str, str], severity: AlertSeverity, *, at: datetime
    ) -> Routed:
        """The channels in the order of the routes, each once, and the first escalation that a route names."""
        if severity in self._policy.severities.never:
            return Routed(channels=(), escalation=None, routes=())
        taken = list(self._taken(labels, severity, at))
        named = [channel for part in taken for channel in part.channels]
        if labels.get("alertname") == heartbeat.ALERT:
            named = [*self._of_heartbeats.get(labels.get(heartbeat.LABEL, ""), ())] or named
        if (own := self._own(annotations)) in self._policy.channels:
            named.append(own)
        return Routed(
            channels=tuple(dict.fromkeys(named)),
            escalation=next((part.escalation for part in taken if part.escalation is not None), None),
            routes=tuple(part.name for part in taken),
        )

    def of(self, incident: Incident, *, at: datetime) -> Routed:
        """Whoever is to know of any alert of it that fires: a group may hold those of several teams."""
        alerts: Sequence[Alert | Incident] = [each.alert for each in incident.firing] or [incident]
        told = {self._asked_for(each.labels, each.annotations): (each.labels, each.annotations) for each in alerts}
        found = [self.route(*each, incident.severity, at=at) for each in told.values()]
        return Routed(
            channels=tuple(dict.fromkeys(channel for each in found for channel in each.channels)),
            escalation=next((each.escalation for each in found if each.escalation is not None), None),
            routes=tuple(dict.fromkeys(name for each in found for name in each.routes)),
        )

    def _asked_for(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> tuple[str, ...]:
        """All that routes look at: those who agree in it are routed alike."""
        beat = labels.get(heartbeat.LABEL, "") if labels.get("alertname") == heartbeat.ALERT else ""
        return (*(labels.get(name, "") for name in self._names), self._own(annotations), beat)

    def _own(self, annotations: Mapping[str, str]) -> str:
        return next((annotations[name] for name in self._annotations if annotations.get(name)), "")

    def _taken(self, labels: Mapping[str, str], severity: AlertSeverity, at: datetime) -> Iterator[RoutePart]:
        """Until one is taken that does not go on."""
        values = tuple(labels.get(name, "") for name in self._names)
        for each in self._fitting(values, severity):
            if each.hours is None or each.hours.contains(at):
                yield each.part
                if not each.part.go_on:
                    return

    def path(
        self, labels: Mapping[str, str], annotations: Mapping[str, str], severity: AlertSeverity, *, at: datetime
    ) -> Iterator[Asked]:
        """The routes that `route` asks, in order, with what each answers, and what an annotation adds."""
        if severity in self._policy.severities.never:
            yield Asked(route="", reason=RouteReason.NEVER, detail=severity)
            return
        for each in self._compiled:
            asked = each.answer(labels, severity, at)
            yield asked
            if asked.reason is RouteReason.TAKEN and not each.part.go_on:
                break
        if own := self._own(annotations):
            known = own in self._policy.channels
            yield Asked(route="", reason=RouteReason.ANNOTATION if known else RouteReason.NO_CHANNEL, detail=own)
