"""What is bad about a node as it says itself, and whether the bad that led to a step is over. Pure."""

from collections.abc import Collection
from datetime import datetime, timedelta

from common.cluster.rows import Condition, LeaseRow, NodeRow

READY = "Ready"
WELL_FOR = timedelta(minutes=3)  # before a node that was sick is trusted again


def sick_conditions(node: NodeRow) -> frozenset[str]:
    """Types of the conditions that are bad now. A node that never said whether it is ready is not."""
    bad = {condition.type for condition in node.conditions if _bad(condition)}
    return frozenset(bad if node.condition(READY) else bad | {READY})


def _bad(condition: Condition) -> bool:
    # Ready, and what names itself like it (KernelReady, StorageReady), is good when True; all others report a problem.
    if condition.type.endswith(READY):
        return condition.status != "True"
    return condition.status == "True"


def recovered(node: NodeRow, causes: Collection[str]) -> bool:
    """Whether nothing is left of what was bad. Without a cause that can be seen on the node, nobody can tell: False."""
    return bool(causes) and not sick_conditions(node).intersection(causes)


def well_since(node: NodeRow, causes: Collection[str]) -> datetime | None:
    """Since when the node is ready and free of the causes; None while it is not, or when nobody can tell."""
    if not recovered(node, {READY, *causes}):
        return None
    changes = [node.condition(type_) for type_ in (READY, *causes)]
    return max((each.changed_at for each in changes if each and each.changed_at), default=None)


def renews(lease: LeaseRow | None, now: datetime) -> bool:
    """Whether the kubelet is heard of now, as its Lease says; a node that has none is known by its conditions alone."""
    if lease is None or lease.renewed_at is None:
        return True
    return (now - lease.renewed_at).total_seconds() < lease.duration_seconds


def unreachable(node: NodeRow) -> bool:
    """Whether nothing is heard of its kubelet any more: what runs there is unknown, and nothing there obeys."""
    ready = node.condition(READY)
    return ready is not None and ready.status == "Unknown"
