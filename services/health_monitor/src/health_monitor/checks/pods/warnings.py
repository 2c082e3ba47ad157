"""What the Warning events about a pod say."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from common.cluster.rows import EventRow, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey

# The kubelet tells the first 25 events of a pod at once, then one in five minutes
# (burst and rate of the recorder, https://github.com/kubernetes/client-go/blob/master/tools/record/events_cache.go):
# what has been silent for longer than that has stopped.
RECENT = timedelta(minutes=10)

_CONTAINER = re.compile(r"\{(.+)\}")


def about(pod: PodRow, snapshot: ClusterSnapshot) -> Iterable[EventRow]:
    """All Warning events about the pod; made to be cheap when there are none."""
    return snapshot.warnings_about(ObjectKey("Pod", pod.namespace, pod.name))


def failing_probes(events: Iterable[EventRow], probe: str, now: datetime) -> dict[str, list[EventRow]]:
    """Events of the last minutes that tell of a failed `probe` ("Liveness", "Readiness"), by container.

    The container is empty where the event does not name it.
    """
    found: dict[str, list[EventRow]] = {}
    for event in events:
        if event.reason == "Unhealthy" and event.message.startswith(probe) and _recent(event, now):
            found.setdefault(container_of(event), []).append(event)
    return found


def oldest(events: Iterable[EventRow], reasons: Iterable[str], now: datetime) -> EventRow | None:
    """Of the recent events with one of `reasons` that which began first: it stays the same while others come and go."""
    matching = [event for event in events if event.reason in reasons and _recent(event, now)]
    return min(matching, key=lambda event: (event.first_at or now, event.name), default=None)


def container_of(event: EventRow) -> str:
    """From a path such as `spec.containers{app}`."""
    match = _CONTAINER.search(event.field_path)
    return match.group(1) if match else ""


def _recent(event: EventRow, now: datetime) -> bool:
    return event.last_at is not None and now - event.last_at < RECENT
