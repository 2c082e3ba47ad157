"""An incident: what people acknowledge. One group of alerts over its life, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alert_service.incidents.alert import Alert, AlertSeverity, AlertStatus, Source
from common.contracts.healing import NoticeKind
from common.contracts.objects import ObjectRef


class IncidentState(StrEnum):
    """Where it stands. What is resolved and fires again within the policy's time is reopened, later it is a new one."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


# Labels that say where, when there is no object; the last two are of the service's own alerts.
_PLACES = ("namespace", "cluster", "heartbeat", "channel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One alert of the incident, in its newest episode."""

    alert: Alert
    severity: AlertSeverity
    joined_at: datetime
    seen_at: datetime  # when a source last told of it
    revision: int  # of the incident, when it joined: a card of an earlier one did not show it

    @property
    def firing(self) -> bool:
        return self.alert.status is AlertStatus.FIRING


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Covers what was shown at the click: an alert that joins later is told anew, and so is a raised severity."""

    by: str
    at: datetime
    fingerprints: frozenset[str]
    severity: AlertSeverity  # the highest that was shown
    remind_at: datetime | None = None
    expires_at: datetime | None = None  # then it fires again, and escalation starts over


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """Covers what fired when it was asked for: an alert that joins later is told, and so is a raised severity."""

    by: str
    at: datetime
    until: datetime
    until_resolved: bool = False  # what fires again afterwards is told, however soon that is
    fingerprints: frozenset[str]
    severity: AlertSeverity


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """What auto_healing last told about the incident's subject."""

    run_id: UUID | None
    kind: NoticeKind
    action: str
    message: str
    at: datetime
    cluster: str = ""
    since: datetime | None = None  # when it first began here: from then on the longest time that it gets is counted
    deadline_at: datetime | None = None  # until then it works, or its success is to show, and escalation holds
    approve_until: datetime | None = None  # it waits for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Where the incident is on the way up. `next_at` is None when nothing more will happen by itself."""

    policy: str
    step: int = 0  # the next one that is due
    round: int = 0  # repeats done
    turn: int = 0  # with round robin: with which person it began
    next_at: datetime | None = None
    held_since: datetime | None = None  # the clock stands: healing works, or the hours are closed
    acked_by: frozenset[str] = frozenset()  # of the step whose people all have to
    told: tuple[str, ...] = ()  # people and channels told so far, in order
    forced: bool = False  # a person wants the next step at once: nothing holds it


class SuppressionReason(StrEnum):
    """Why nobody is told."""

    MAINTENANCE = "maintenance"
    HEALING = "healing"  # of the same subject, until its deadline
    PARENT = "parent"  # a child of an incident that is told, or that is suppressed itself
    FLAPPING = "flapping"
    STORM = "storm"  # it is told on the storm card
    SILENCED = "silenced"  # Alertmanager says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Why nobody is told, by what, and until when at the latest."""

    reason: SuppressionReason
    detail: str
    since: datetime
    until: datetime | None = None


class HappeningKind(StrEnum):
    """What the timeline tells."""

    OPENED = "opened"
    ALERTS_JOINED = "alerts_joined"
    ALERTS_RESOLVED = "alerts_resolved"
    SEVERITY_RAISED = "severity_raised"
    SEVERITY_LOWERED = "severity_lowered"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    ACK_EXPIRED = "ack_expired"
    ACK_REMINDED = "ack_reminded"
    SILENCED = "silenced"
    SILENCE_ENDED = "silence_ended"
    HEALING = "healing"
    APPROVED = "approved"
    DENIED = "denied"
    ESCALATED = "escalated"
    ESCALATION_HELD = "escalation_held"
    ESCALATION_RESUMED = "escalation_resumed"
    ESCALATION_ENDED = "escalation_ended"
    CORRELATED = "correlated"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    FLAPPING = "flapping"
    NOTIFIED = "notified"
    REPEATED = "repeated"
    DELIVERY_FAILED = "delivery_failed"
    CLICK_REFUSED = "click_refused"
    RECONCILED = "reconciled"
    NOTED = "noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of an incident's timeline."""

    kind: HappeningKind
    at: datetime
    text: str  # one sentence for people
    by: str = ""  # a person, or empty: the service
    fingerprints: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Everything known about it but its timeline. `revision` rises with every change that a card shows."""

    id: UUID
    key: str  # sha256 of the source and its group key, in hexadecimal
    source: Source
    group_key: str
    receiver: str
    external_url: str
    labels: Mapping[str, str]  # common to its alerts
    annotations: Mapping[str, str]
    state: IncidentState
    severity: AlertSeverity  # the highest of those that fire; of a resolved one, the highest it had
    opened_at: datetime
    changed_at: datetime
    resolved_at: datetime | None = None
    revision: int = 1
    members: Mapping[str, Member] = field(default_factory=dict)  # by fingerprint
    truncated: int = 0  # alerts that the source left out of its last post
    subject: ObjectRef | None = None  # the Kubernetes object that all its alerts are about
    parent_id: UUID | None = None
    acknowledgement: Acknowledgement | None = None
    healing: Healing | None = None
    escalation: Escalation | None = None
    suppression: Suppression | None = None
    silences: tuple[str, ...] = ()  # ids in Alertmanager
    silenced: Silenced | None = None
    turns: tuple[datetime, ...] = ()  # when it last opened, resolved or reopened: for flapping
    channels: tuple[str, ...] = ()  # that have its card: they hear how it goes on, whatever the routes say by then
    notified_at: datetime | None = None
    repeats: int = 0  # times that people were told again that it still fires

    @property
    def firing(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members.values() if member.firing)

    @property
    def open(self) -> bool:
        return self.state is not IncidentState.RESOLVED

    @property
    def alertname(self) -> str:
        """What its alerts are called, or the first of them; empty when none has a name."""
        named = (member.alert.name for member in self.members.values())
        return self.labels.get("alertname") or next(named, "")

    @property
    def title(self) -> str:
        """In plain text: what it is, and where, such as "KubePodCrashLooping: shop/checkout-7d4b9c-x2x9z"."""
        name, labels, subject = self.alertname, self.labels, self.subject
        if subject is not None:
            place = "/".join(part for part in (subject.namespace, subject.name) if part)
        else:
            place = next((labels[each] for each in _PLACES if labels.get(each)), "")
        if not name:
            name = "An alert without a name"
            place = place or ", ".join(
                f"{label}={text}" for label, text in sorted(labels.items()) if label != "severity"
            )
        return f"{name}: {place}" if place else name
