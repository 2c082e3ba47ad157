"""A health event as an alert, and what the full list of findings tells that no event did. Pure.

Grouped as Alertmanager's usual configuration groups: by cluster, namespace and what it is.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from urllib.parse import quote, unquote

from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.subjects import labels_of, subject_of
from common.contracts import Change, EventData, Finding, HealthEvent, ObjectRef, Severity
from common.contracts.health import EVENT_TYPE_PREFIX
from common.contracts.objects import CLUSTER

_STORM = "storm"  # the part of a finding that stands for many, which no list of findings has


def post_of_event(event: HealthEvent) -> Post:
    """One alert. Its severity may change while it fires, so it is no part of its identity."""
    data, finding = event.data, event.data.finding
    cluster = unquote(event.source.removeprefix("/clusters/"))
    labels = _labels(cluster, finding)
    over = data.change is Change.RESOLVED
    alert = Alert(
        fingerprint=fingerprint_of(labels),
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        labels=labels | _besides(finding),
        annotations={"summary": finding.message} | {name: str(value) for name, value in finding.evidence.items()},
        starts_at=finding.since,
        ends_at=data.detected_at if over else None,
    )
    group = f"{cluster}/{finding.object.namespace}/{finding.code}"
    return Post(source=Source.HEALTH, group_key=group, alerts=(alert,))


def fingerprint(cluster: str, finding: Finding) -> str:
    """Of the alert that the finding is."""
    return fingerprint_of(_labels(cluster, finding))


def _labels(cluster: str, finding: Finding) -> dict[str, str]:
    named = {"alertname": finding.code, "cluster": cluster, "part": finding.part or ""}
    return {name: value for name, value in named.items() if value} | labels_of(finding.object)


def _besides(finding: Finding) -> dict[str, str]:
    """Labels that may change while it fires, and so are no part of its identity. A lost node explains its pods."""
    node = str(finding.evidence.get("node") or "")
    return {"severity": finding.severity} | ({"node": node} if node and finding.object.kind == "Pod" else {})


def missed(findings: Iterable[Finding], cluster: str, fires: Collection[str], now: datetime) -> list[HealthEvent]:
    """What is open there and does not fire here, as events; `fires`: fingerprints."""
    return [
        _event(Change.OPENED, finding, cluster, now)
        for finding in findings
        if fingerprint(cluster, finding) not in fires
    ]


def is_of_a_storm(alert: Alert) -> bool:
    """Whether it stands for many."""
    return alert.labels.get("part") == _STORM


def over(alert: Alert, now: datetime) -> HealthEvent:
    """What fires here and is open there no more, as an event."""
    labels = alert.labels
    word = labels.get("severity", "")
    finding = Finding(
        code=alert.name,
        object=subject_of(labels) or ObjectRef(kind=CLUSTER, name=""),
        part=labels.get("part", ""),
        severity=Severity(word) if word in set(Severity) else Severity.INFO,
        message=alert.annotations.get("summary", ""),
        since=alert.starts_at,
    )
    return _event(Change.RESOLVED, finding, labels.get("cluster", ""), now)


def _event(change: Change, finding: Finding, cluster: str, now: datetime) -> HealthEvent:
    kind, namespace, name = finding.object.key
    place = "/".join(filter(None, (kind, namespace, name)))
    return HealthEvent(
        id=f"listing/{now.isoformat()}/{change}/{finding.code}/{place}/{finding.part}",
        source=f"/clusters/{quote(cluster, safe='')}",
        type=f"{EVENT_TYPE_PREFIX}.finding.{change}.v1",
        subject=place,
        time=now,
        cursor=1,
        data=EventData(change=change, finding=finding, detected_at=now),
    )
