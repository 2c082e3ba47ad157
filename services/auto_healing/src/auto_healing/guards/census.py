"""All nodes counted once, so that thousands of steps can be judged by zone, pool and condition."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

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
    """One pass over all nodes: some 8 µs for each that has changed since the last one, 1 µs for each other."""
    nodes = snapshot.rows(NodeRow).values()
    if len(_accounts) > 2 * len(nodes) + _SPARE:  # most of them are of nodes that are gone
        _accounts.clear()
    accounts = tuple(map(_account_of, nodes))
    limit = timedelta(seconds=lease_age_seconds)
    disagreeing = tuple(each.row.name for each in accounts if _disagrees(each, snapshot, now, limit))
    return replace(_counted(accounts), disagreeing=disagreeing)


@dataclass(frozen=True, slots=True, eq=False)
class _Account:
    """What one node adds to a census. There is one for each row, so that it is told apart by identity."""

    row: NodeRow
    member: Member
    bad: tuple[str, ...]  # types of its conditions that tell of a problem
    ready: Condition | None


_SPARE = 100
_accounts: dict[str, _Account] = {}  # by name: of a row that was counted before, nothing has to be reckoned anew


def _account_of(node: NodeRow) -> _Account:
    known = _accounts.get(node.name)
    if known is not None and known.row is node:
        return known
    bad = tuple(condition.type for condition in node.conditions if is_bad(condition))
    account = _accounts[node.name] = _Account(node, _member(node), bad, node.condition(READY))
    return account


@lru_cache(maxsize=2)
def _counted(accounts: tuple[_Account, ...]) -> Census:
    """All that does not go by the time."""
    members = {each.row.name: each.member for each in accounts}
    bad = [(type_, each.member) for each in accounts for type_ in each.bad]
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
        turned=tuple(sorted(_turned(accounts), key=lambda turn: turn[0], reverse=True)),
        disagreeing=(),
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


def _turned(accounts: Iterable[_Account]) -> list[tuple[datetime, bool, datetime | None]]:
    return [
        (ready.changed_at, ready.status == "True", each.row.created_at)
        for each in accounts
        if (ready := each.ready) is not None and ready.changed_at is not None
    ]


def _disagrees(node: _Account, snapshot: ClusterSnapshot, now: datetime, limit: timedelta) -> bool:
    """Called silent while its Lease is renewed, or called ready while its Lease is not."""
    ready = node.ready
    if ready is None or (lease := snapshot.lease(node.row.name)) is None or lease.renewed_at is None:
        return False
    age = now - lease.renewed_at
    if ready.status == "Unknown":
        return age.total_seconds() < lease.duration_seconds
    return ready.status == "True" and age > limit
