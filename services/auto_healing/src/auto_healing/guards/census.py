"""All nodes counted once, so that thousands of steps can be judged by zone, pool and condition."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from auto_healing.guards.others import taking_node
from auto_healing.place import pool_of
from common.cluster.rows import Condition, NodeRow
from common.cluster.snapshot import ClusterSnapshot

READY = "Ready"
CONTROL_PLANE = "control-plane"
_CONTROL_PLANE_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


def is_control_plane(node: NodeRow) -> bool:
    return any(label in node.labels for label in _CONTROL_PLANE_LABELS)


def is_bad(condition: Condition) -> bool:
    """Ready, and what is named like it (KernelReady), is good when True; all others tell of a problem when True."""
    return (condition.status != "True") if condition.type.endswith(READY) else (condition.status == "True")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Where a node belongs."""

    zone: str
    pool: str
    control_plane: bool
    taken: str  # who takes it away, for people; empty: nobody
    disrupted: str  # why it is out of service, for people; empty: it is not


@dataclass(frozen=True, slots=True)
class Census:
    """Of one snapshot at one instant. Counts are by name of zone, pool, and type of condition."""

    members: dict[str, Member]
    in_zone: Counter[str]
    in_pool: Counter[str]
    bad_in_zone: Counter[tuple[str, str]]  # condition type, zone
    bad_in_pool: Counter[tuple[str, str]]  # condition type, pool
    disrupted_in_pool: Counter[str]
    disrupted: int
    taken: tuple[str, ...]  # names of nodes that somebody takes away
    turned: tuple[tuple[datetime, bool, datetime | None], ...]  # newest change of readiness: at, ready, node made at
    disagreeing: tuple[str, ...]  # nodes whose Lease says otherwise than Ready
    control_plane: tuple[str, ...]

    @property
    def nodes(self) -> int:
        return len(self.members)


def take_census(snapshot: ClusterSnapshot, now: datetime, *, lease_age_seconds: float = 120.0) -> Census:
    """One pass over all nodes: some 8 µs each."""
    nodes = snapshot.rows(NodeRow).values()
    members = {node.name: _member(node) for node in nodes}
    bad = [(condition.type, members[node.name]) for node in nodes for condition in node.conditions if is_bad(condition)]
    disrupted = [member for member in members.values() if member.disrupted]
    return Census(
        members=members,
        in_zone=Counter(member.zone for member in members.values()),
        in_pool=Counter(member.pool for member in members.values()),
        bad_in_zone=Counter((type_, member.zone) for type_, member in bad),
        bad_in_pool=Counter((type_, member.pool) for type_, member in bad),
        disrupted_in_pool=Counter(member.pool for member in disrupted),
        disrupted=len(disrupted),
        taken=tuple(name for name, member in members.items() if member.taken),
        turned=tuple(sorted(_turned(nodes), key=lambda turn: turn[0], reverse=True)),
        disagreeing=tuple(node.name for node in nodes if _disagrees(node, snapshot, now, lease_age_seconds)),
        control_plane=tuple(name for name, member in members.items() if member.control_plane),
    )


def _member(node: NodeRow) -> Member:
    taken = taking_node(node)
    sign = taken.sign if taken else ""
    return Member(
        zone=node.zone,
        pool=pool_of(node) or (CONTROL_PLANE if is_control_plane(node) else ""),
        control_plane=is_control_plane(node),
        taken=sign,
        disrupted=sign or ("it is cordoned" if node.unschedulable else "") or ("" if node.ready else "it is not ready"),
    )


def _turned(nodes: Iterable[NodeRow]) -> list[tuple[datetime, bool, datetime | None]]:
    conditions = ((node, node.condition(READY)) for node in nodes)
    return [
        (ready.changed_at, ready.status == "True", node.created_at)
        for node, ready in conditions
        if ready is not None and ready.changed_at is not None
    ]


def _disagrees(node: NodeRow, snapshot: ClusterSnapshot, now: datetime, lease_age_seconds: float) -> bool:
    """Called silent while its Lease is renewed, or called ready while its Lease is not."""
    lease, ready = snapshot.lease(node.name), node.condition(READY)
    if lease is None or lease.renewed_at is None or ready is None:
        return False
    age = (now - lease.renewed_at).total_seconds()
    if ready.status == "Unknown":
        return age < lease.duration_seconds
    return ready.status == "True" and age > lease_age_seconds
