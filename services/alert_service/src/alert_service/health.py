"""A health event as an alert. Pure.

Grouped as Alertmanager's usual configuration groups: by cluster, namespace and what it is.
"""

from alert_service.alert import Alert, AlertStatus, Post, Source
from alert_service.fingerprint import fingerprint_of
from alert_service.subjects import labels_of
from common.contracts import Change, HealthEvent


def post_of_event(event: HealthEvent) -> Post:
    """One alert. Its severity may change while it fires, so it is no part of its identity."""
    data, finding = event.data, event.data.finding
    cluster = event.source.removeprefix("/clusters/")
    named = {"alertname": finding.code, "cluster": cluster, "part": finding.part or ""}
    labels = {name: value for name, value in named.items() if value} | labels_of(finding.object)
    over = data.change is Change.RESOLVED
    alert = Alert(
        fingerprint=fingerprint_of(labels),
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        labels=labels | {"severity": finding.severity},
        annotations={"summary": finding.message} | {name: str(value) for name, value in finding.evidence.items()},
        starts_at=finding.since,
        ends_at=data.detected_at if over else None,
    )
    group = f"{cluster}/{finding.object.namespace}/{finding.code}"
    return Post(source=Source.HEALTH, group_key=group, alerts=(alert,))
