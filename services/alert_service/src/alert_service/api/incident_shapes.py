"""Incidents, alerts and what happened to them, as the API shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from alert_service.incidents.alert import AlertSeverity, AlertStatus, Source
from alert_service.incidents.incident import (
    Acknowledgement,
    Escalation,
    Happening,
    HappeningKind,
    Healing,
    Incident,
    IncidentState,
    Member,
    Suppression,
)
from alert_service.routing.wanted import DeliveryKind, DeliveryState, NotifyReason
from alert_service.storage.delivery_reports import Delivered
from alert_service.storage.listing import FoundAlert, Listed
from common.contracts.objects import ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentBrief:
    """One incident without its alerts and its history."""

    id: UUID
    title: Annotated[str, Field(examples=["KubePodCrashLooping: shop/checkout-7d4b9c-x2x9z"])]
    state: IncidentState
    severity: Annotated[AlertSeverity, Field(description="The highest of those that fire; once resolved, the last")]
    source: Source
    group_key: Annotated[str, Field(description="The source's own name of the group")]
    labels: Annotated[Mapping[str, str], Field(description="Common to its alerts")]
    annotations: Mapping[str, str]
    subject: Annotated[ObjectRef | None, Field(description="The object that all its alerts are about")]
    firing: Annotated[int, Field(description="How many of its alerts fire")]
    alerts: Annotated[int, Field(description="How many it has, the resolved ones too")]
    truncated: Annotated[int, Field(description="Alerts that the source left out of its last post")]
    opened_at: datetime
    changed_at: datetime
    resolved_at: datetime | None
    next_at: Annotated[datetime | None, Field(description="When something is due by itself; explain says what")]
    revision: Annotated[int, Field(description="Rises with every change that a card shows")]
    parent_id: Annotated[UUID | None, Field(description="The incident that explains this one")]
    acknowledgement: Acknowledgement | None
    healing: Annotated[Healing | None, Field(description="What auto_healing last told about its subject")]
    escalation: Escalation | None
    suppression: Annotated[Suppression | None, Field(description="Why nobody is told; null: people are told")]
    silences: Annotated[Sequence[str], Field(description="Ids in Alertmanager")]

    @classmethod
    def of(cls, listed: Listed) -> "IncidentBrief":
        found = listed.incident
        return cls(
            id=found.id,
            title=listed.title,
            state=found.state,
            severity=found.severity,
            source=found.source,
            group_key=found.group_key,
            labels=found.labels,
            annotations=found.annotations,
            subject=found.subject,
            firing=listed.firing,
            alerts=listed.alerts,
            truncated=found.truncated,
            opened_at=found.opened_at,
            changed_at=found.changed_at,
            resolved_at=found.resolved_at,
            next_at=listed.next_at,
            revision=found.revision,
            parent_id=found.parent_id,
            acknowledgement=found.acknowledgement,
            healing=found.healing,
            escalation=found.escalation,
            suppression=found.suppression,
            silences=found.silences,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertShown:
    """One alert, in its newest episode."""

    fingerprint: Annotated[str, Field(examples=["0e7ff8ea0d1f3b5c"])]
    status: AlertStatus
    severity: AlertSeverity
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: Annotated[datetime | None, Field(description="null while it fires")]
    joined_at: Annotated[datetime, Field(description="When it became part of the incident")]
    seen_at: Annotated[datetime, Field(description="When a source last told something new of it")]
    generator_url: str
    acknowledged: Annotated[bool, Field(description="Whether an acknowledgement of its incident covers it")] = False

    @classmethod
    def of(cls, member: Member, ack: Acknowledgement | None = None) -> "AlertShown":
        alert = member.alert
        return cls(
            fingerprint=alert.fingerprint,
            status=alert.status,
            severity=member.severity,
            labels=alert.labels,
            annotations=alert.annotations,
            starts_at=alert.starts_at,
            ends_at=alert.ends_at,
            joined_at=member.joined_at,
            seen_at=member.seen_at,
            generator_url=alert.generator_url,
            acknowledged=ack is not None and alert.fingerprint in ack.fingerprints,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAlert:
    """One alert, and the incident it belongs to."""

    alert: AlertShown
    incident_id: UUID
    incident_state: IncidentState

    @classmethod
    def of(cls, found: FoundAlert) -> "ListedAlert":
        shown = AlertShown.of(found.member, found.acknowledgement)
        return cls(alert=shown, incident_id=found.incident_id, incident_state=found.incident_state)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineShown:
    """One line of a timeline."""

    at: datetime
    kind: HappeningKind
    by: Annotated[str, Field(description="A person; empty: the service")]
    text: Annotated[str, Field(description="One sentence for people")]
    fingerprints: Sequence[str]
    details: Mapping[str, str]

    @classmethod
    def of(cls, line: Happening) -> "LineShown":
        return cls(
            at=line.at,
            kind=line.kind,
            by=line.by,
            text=line.text,
            fingerprints=line.fingerprints,
            details=line.details,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryBrief:
    """One message about it, and how far it got. GET /api/v1/deliveries/{id} says everything."""

    id: UUID
    channel: str
    kind: DeliveryKind
    reason: NotifyReason
    state: DeliveryState
    queued_at: datetime
    due_at: datetime
    accepted_at: datetime | None
    posted_at: datetime | None
    acted_at: datetime | None
    attempts: int
    error: Annotated[str, Field(description="What the vendor said, when the last attempt failed")]

    @classmethod
    def of(cls, message: Delivered) -> "DeliveryBrief":
        return cls(**{name: getattr(message, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentShown:
    """One incident with everything that is known of it."""

    incident: IncidentBrief
    alerts: Annotated[Sequence[AlertShown], Field(description="In the order in which they joined")]
    timeline: Annotated[Sequence[LineShown], Field(description="The newest 500 lines, in the order of happening")]
    deliveries: Annotated[Sequence[DeliveryBrief], Field(description="The newest 500 messages, in their order")]

    @classmethod
    def of(
        cls, listed: Listed, incident: Incident, lines: Sequence[Happening], deliveries: Sequence[Delivered]
    ) -> "IncidentShown":
        ack = incident.acknowledgement
        return cls(
            incident=IncidentBrief.of(listed),
            alerts=[AlertShown.of(each, ack) for each in incident.members.values()],
            timeline=[LineShown.of(each) for each in lines],
            deliveries=[DeliveryBrief.of(each) for each in deliveries],
        )
