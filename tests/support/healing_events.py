"""Health events as health_monitor sends them, about pods of a shop."""

from datetime import timedelta
from typing import Any

from tests.support.clock import NOON

from common.contracts import Change, EventData, Finding, HealthEvent, ObjectRef, Severity


def a_pod_finding(name: str = "web-1", **changes: Any) -> Finding:
    """A crash loop, since noon."""
    values: dict[str, Any] = {
        "code": "pod-crash-loop",
        "object": ObjectRef(kind="Pod", namespace="shop", name=name, uid=f"uid-{name}"),
        "severity": Severity.CRITICAL,
        "message": "it crashes",
        "since": NOON,
    }
    return Finding(**(values | changes))


def an_event(
    cursor: int,
    change: Change = Change.OPENED,
    *,
    name: str = "web-1",
    finding: Finding | None = None,
    storm: bool = False,
    score: float | None = None,
    **changes: Any,
) -> HealthEvent:
    """One second after noon for each cursor, with an id that tells it."""
    at = NOON + timedelta(seconds=cursor)
    finding = finding or a_pod_finding(name)
    values: dict[str, Any] = {
        "id": f"event-{cursor}",
        "source": "/clusters/test",
        "type": f"io.k8s-health-checker.health.finding.{change}.v1",
        "subject": f"Pod/shop/{finding.object.name}",
        "time": at,
        "cursor": cursor,
        "data": EventData(change=change, finding=finding, storm=storm, detected_at=at, object_score=score),
    }
    return HealthEvent(**(values | changes))
