"""Alerts that always fire: hearing one is no news, no longer hearing it is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from alert_service.durations import shortly
from alert_service.incidents.alert import Alert, AlertSeverity, AlertStatus, Post, Source
from alert_service.policy.part import matchers_of
from alert_service.policy.settings import AlertPolicy
from alert_service.policy.trials import HeartbeatPart
from alert_service.routing.matchers import Matcher, all_match

ALERT = "HeartbeatMissing"
LABEL = "heartbeat"

Beats = dict[str, datetime]  # when each was heard, by name


class Heartbeats:
    """Those of one policy, compiled once."""

    def __init__(self, policy: AlertPolicy) -> None:
        self._matchers: list[tuple[str, tuple[Matcher, ...]]] = [
            (part.name, matchers_of(part.match)) for part in policy.heartbeats
        ]

    def split(self, post: Post, *, at: datetime) -> tuple[Beats, tuple[Alert, ...]]:
        """What was heard at that time, and the alerts as they are to be taken. One that resolved is not heard.

        A heartbeat is taken as over: that ends its incident, if it had one before anybody listened for it.
        """
        if not self._matchers or post.source is not Source.ALERTMANAGER:
            return {}, tuple(post.alerts)
        beats: Beats = {}
        taken = []
        for alert in post.alerts:
            names = [name for name, matchers in self._matchers if all_match(matchers, alert.labels)]
            if names and alert.status is AlertStatus.FIRING:
                beats |= dict.fromkeys(names, at)
            taken.append(msgspec.structs.replace(alert, status=AlertStatus.RESOLVED, ends_at=at) if names else alert)
        return beats, tuple(taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What is known of one heartbeat."""

    heard_at: datetime  # before it was ever heard: since when it is listened for
    missing_since: datetime | None = None


def is_missing(part: HeartbeatPart, pulse: Pulse, *, listening_since: datetime, now: datetime) -> bool:
    """Nothing is missed before it could have been heard: whoever did not listen begins to wait anew."""
    return now - max(pulse.heard_at, listening_since) > patience(part)


def patience(part: HeartbeatPart) -> timedelta:
    """How long nothing may be heard."""
    return part.every * part.grace


def labels_of(name: str) -> dict[str, str]:
    """Of the alert that is raised."""
    return {"alertname": ALERT, "severity": AlertSeverity.CRITICAL.value, LABEL: name}


def annotations_of(part: HeartbeatPart, pulse: Pulse, now: datetime) -> Mapping[str, str]:
    silent = shortly(now - pulse.heard_at)
    return {
        "summary": f"Alerts may not arrive: nothing was heard of {part.name} for {silent}",
        "description": f"The alert {' '.join(part.match)} always fires, and came at least every {shortly(part.every)}. "
        "Now that it does not come, no other alert may come either: look at Prometheus, at Alertmanager, and at the "
        "network between them and this service.",
    }
