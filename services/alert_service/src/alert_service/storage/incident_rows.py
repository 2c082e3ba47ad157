"""Incidents as rows and back."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from alert_service.incidents.alert import Alert, AlertSeverity
from alert_service.incidents.incident import Happening, Incident, Member
from alert_service.policy.suppression import Tie
from alert_service.routing.correlation import keys_of, object_key_of, reach_of
from common.contracts.objects import ObjectKey

Row = dict[str, Any]

# A key that incidents have in common, and the reach of those that it says nothing about.
Bond = tuple[str, int]
WIDE = (f"{Tie.NODE}:", f"{Tie.ZONE}:")
_NO_REACH = -1

_LONGEST_NAME = 253  # of anything in Kubernetes; what is longer is searched by nobody
_LONGEST_KEY = 500
_INCIDENT = msgspec.json.Decoder(Incident)
_ALERT = msgspec.json.Decoder(Alert)


def incident_row(incident: Incident, next_at: object) -> Row:
    """`value` holds it whole but for its members; the columns are what is searched by."""
    subject = incident.subject
    return {
        "id": incident.id,
        "key": incident.key,
        "source": incident.source,
        "group_key": incident.group_key,
        "state": incident.state,
        "severity": incident.severity,
        "title": incident.title,
        "revision": incident.revision,
        "opened_at": incident.opened_at,
        "changed_at": incident.changed_at,
        "resolved_at": incident.resolved_at,
        "next_at": next_at,
        "parent_id": incident.parent_id,
        "cluster": incident.labels.get("cluster", ""),
        "subject_kind": subject.kind[:_LONGEST_NAME] if subject else "",
        "subject_namespace": subject.namespace[:_LONGEST_NAME] if subject else "",
        "subject_name": subject.name[:_LONGEST_NAME] if subject else "",
        "value": replace(incident, members={}),
    }


def incident_of(value: str, members: Mapping[str, Member]) -> Incident:
    """`value` is the text of the JSON."""
    return replace(_INCIDENT.decode(value), members=members)


def member_row(incident: Incident, fingerprint: str, member: Member) -> Row:
    alert = member.alert
    return {
        "incident_id": incident.id,
        "fingerprint": fingerprint,
        "alertname": alert.name,
        "status": alert.status,
        "severity": member.severity,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "joined_at": member.joined_at,
        "seen_at": member.seen_at,
        "revision": member.revision,
        "alert": alert,
    }


def member_of(row: Any) -> Member:
    """`row.alert` is the text of the JSON."""
    return Member(
        alert=_ALERT.decode(row.alert),
        severity=AlertSeverity(row.severity),
        joined_at=row.joined_at,
        seen_at=row.seen_at,
        revision=row.revision,
    )


def timeline_rows(incident: Incident, happenings: Iterable[Happening]) -> list[Row]:
    return [
        {
            "incident_id": incident.id,
            "at": each.at,
            "kind": each.kind,
            "by": each.by,
            "text": each.text,
            "fingerprints": list(each.fingerprints),
            "details": dict(each.details),
        }
        for each in happenings
    ]


def tie_keys(incident: Incident) -> frozenset[str]:
    """What it may have in common with others, and the objects that it is about."""
    return frozenset(_short(f"{tie}:{key}") for tie, key in keys_of(incident))


def bonds_of(incident: Incident, keys: Iterable[str]) -> set[Bond]:
    """What others may have in common with it. Those that are about as much as it is, and share no more than a node or a
    zone, explain nothing: in a storm there are hundreds of them."""
    reach = reach_of(incident)
    return {(key, reach if key.startswith(WIDE) else _NO_REACH) for key in keys}


def object_tie(key: ObjectKey) -> str:
    """What those have in common that are about the object."""
    return _short(f"{Tie.OBJECT}:{object_key_of(key)}")


def _short(key: str) -> str:
    """An index holds no more than some kilobytes, and a label may be of any length."""
    return key if len(key) <= _LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()
