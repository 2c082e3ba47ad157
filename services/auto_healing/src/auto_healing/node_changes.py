"""What had changed about a node just before trouble began on it: that it joined, or came back."""

from datetime import datetime, timedelta

from common.cluster.snapshot import ClusterSnapshot

_JUST_BEFORE = timedelta(minutes=30)  # A judgement: what a new machine lacks shows when the first pods start on it


def changes_of_node(name: str, began_at: datetime, snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Sentences; none when nothing is known to have changed."""
    node = snapshot.node(name)
    if node is None:
        return ()
    ready = node.condition("Ready")
    came_back_at = ready.changed_at if ready is not None and node.ready else None
    for what, at in (("joined the cluster", node.created_at), ("became ready", came_back_at)):
        if at is not None and timedelta() <= began_at - at <= _JUST_BEFORE:
            return (f"{name} {what} {minutes_of(began_at - at)} before that",)
    return ()


def minutes_of(span: timedelta) -> str:
    """Rounded, in the largest unit of which there are two."""
    minutes = round(span.total_seconds() / 60)
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days"
    if minutes >= 2 * 60:
        return f"{minutes // 60} hours"
    return "a minute" if minutes <= 1 else f"{minutes} minutes"
