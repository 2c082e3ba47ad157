"""Which incident explains another: a dead node its pods, a broken workload its pods' alerts, a lost zone its
nodes. Pure.

An incident has one parent, and a parent has none itself, so that a family is told in one place.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alert_service.incidents.alert import Labels
from alert_service.incidents.incident import Incident, Member
from alert_service.incidents.subjects import subject_of
from alert_service.policy.settings import AlertPolicy
from alert_service.policy.suppression import Tie
from common.contracts.objects import ObjectKey, ObjectRef

# Who may explain whom: what is further left explains what is to the right of it.
_SCOPES = (
    "Cluster",
    "Zone",
    "Node",
    "Namespace",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
    "Job",
    "ReplicaSet",
    "Pod",
)
_WORKLOADS = ("deployment", "statefulset", "daemonset", "cronjob", "job_name", "replicaset")
_OWNERS = ("created_by_name", "owner_name", "workload")
# What controllers end names with: safe characters for a pod, a hash for a ReplicaSet, a time for a Job of a CronJob.
# https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go
_ONE = re.compile(r"^(.+)-(?:[bcdfghjklmnpqrstvwxz2-9]{5}|\d+)$")
_SECOND = re.compile(r"^(.+)-(?:[bcdfghjklmnpqrstvwxz2-9]{6,10}|\d{8,11})$")


# Whatever of one size shares these is one trouble; two pods that happen to run on one node explain nothing.
_CLOSE = frozenset({Tie.OBJECT, Tie.WORKLOAD, Tie.OWNER})

Key = tuple[Tie, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The incident that it belongs to, and why in one sentence."""

    incident: Incident
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bond:
    """The alerts of one incident that have something in common: of which clusters, and when they may have begun.

    A rule waits for its `for` before it fires, a health event says since when; so what broke at one time may be told
    far apart, and what is told at one time may have begun far apart.
    """

    clusters: frozenset[str]
    began_at: datetime
    heard_at: datetime

    @classmethod
    def of(cls, member: Member) -> "_Bond":
        return cls(
            clusters=frozenset({_cluster_of(member)}),
            began_at=min(member.alert.starts_at, member.joined_at),
            heard_at=member.joined_at,
        )

    def and_(self, other: "_Bond") -> "_Bond":
        return _Bond(
            clusters=self.clusters | other.clusters,
            began_at=min(self.began_at, other.began_at),
            heard_at=max(self.heard_at, other.heard_at),
        )

    def is_near(self, other: "_Bond", within: timedelta) -> bool:
        apart = max(self.began_at, other.began_at) - min(self.heard_at, other.heard_at)
        return apart <= within and _one_cluster(self.clusters, other.clusters)


def parent_of(incident: Incident, near: Iterable[Incident], policy: AlertPolicy) -> Parent | None:
    """Of the open ones near it in time the one that explains most; of equals the worst, then the oldest. None: it
    stands for itself."""
    own, part = _rank(incident), policy.correlation
    bonds = _bonds(incident, part.by)
    found = [
        (rank, other, key[0])
        for other in near
        if other.id != incident.id and other.open and other.parent_id is None
        if (rank := _rank(other)) < own
        for key, bond in _bonds(other, part.by).items()
        if key in bonds and (rank[0] < own[0] or key[0] in _CLOSE) and bond.is_near(bonds[key], part.within)
    ]
    if not found:
        return None
    _, parent, tie = min(found, key=lambda each: each[0])
    return Parent(incident=parent, why=f"belongs to an incident of the same {tie}")


def began_at(incidents: Iterable[Incident]) -> datetime:
    """When the first of what fires of them may have begun."""
    return min(_Bond.of(member).began_at for incident in incidents for member in incident.firing)


def explainers_of(incident: Incident, parent: Incident, policy: AlertPolicy) -> list[list[Member]]:
    """For each alert of it that fires, those of its parent that explain it longest, whether they still fire or not: of
    those that have the same in common, and are of one cluster, one."""
    wider = _reach(parent.members.values()) < reach_of(incident)
    ties = [tie for tie in policy.correlation.by if wider or tie in _CLOSE]
    known: dict[Key, dict[str, Member]] = {}
    for member in parent.members.values():
        cluster = _cluster_of(member)
        for key in _keys(member, ties):
            of_key = known.setdefault(key, {})
            of_key[cluster] = max(of_key.get(cluster, member), member, key=lambda each: (each.firing, each.seen_at))
    return [
        [
            other
            for key in _keys(member, ties)
            for other in known.get(key, {}).values()
            if _in_one_cluster(member, other)
        ]
        for member in incident.firing
    ]


def _in_one_cluster(one: Member, other: Member) -> bool:
    return _one_cluster({_cluster_of(one)}, {_cluster_of(other)})


def _cluster_of(member: Member) -> str:
    return member.alert.labels.get("cluster", "")


def may_be_of(incident: Incident, cluster: str) -> bool:
    """Whether anything of it that fires may be of the cluster."""
    return _one_cluster({_cluster_of(each) for each in incident.firing}, {cluster})


def _one_cluster(some: Set[str], others: Set[str]) -> bool:
    """An alert of a Prometheus whose configuration names no cluster may be of any."""
    return "" in some or "" in others or bool(some & others)


def _rank(incident: Incident) -> tuple[int, int, datetime, UUID]:
    """The larger thing explains the smaller one; of the same, the worse, then whoever was first. A strict order: no two
    explain each other."""
    return reach_of(incident), -incident.severity.rank, incident.opened_at, incident.id


def reach_of(incident: Incident) -> int:
    """0 for the whole cluster, and the higher the less it takes in. A group of pods is no more than its pods."""
    return _reach(incident.firing)


def _reach(members: Iterable[Member]) -> int:
    reaches = [_SCOPES.index(ref.kind) if ref.kind in _SCOPES else len(_SCOPES) for ref in _objects(members)]
    return max(reaches, default=len(_SCOPES))


def objects_of(incident: Incident) -> frozenset[ObjectRef]:
    """The objects that its firing alerts are about."""
    return frozenset(_objects(incident.firing))


def _objects(members: Iterable[Member]) -> Iterator[ObjectRef]:
    return (ref for member in members if (ref := subject_of(member.alert.labels)) is not None)


def keys_of(incident: Incident) -> frozenset[Key]:
    """The objects, nodes, zones, workloads and owners that its firing alerts name."""
    return frozenset(key for member in incident.firing for key in _keys(member, Tie))


def _bonds(incident: Incident, ties: Iterable[Tie]) -> dict[Key, _Bond]:
    found: dict[Key, _Bond] = {}
    for member in incident.firing:
        bond = _Bond.of(member)
        for key in _keys(member, ties):
            found[key] = bond.and_(found[key]) if key in found else bond
    return found


def _keys(member: Member, ties: Iterable[Tie]) -> Iterator[Key]:
    labels = member.alert.labels
    return ((tie, key) for tie in ties for key in _NAMED[tie](labels))


def object_key_of(key: ObjectKey) -> str:
    """How it is named among the keys of `Tie.OBJECT`."""
    return f"{key.kind}/{key.namespace}/{key.name}"


def _by_object(labels: Labels) -> Iterator[str]:
    """Two troubles of a whole cluster need not be one."""
    ref = subject_of(labels)
    if ref is not None and ref.name:
        yield object_key_of(ref.key)


def _by_node(labels: Labels) -> Iterator[str]:
    if node := labels.get("node"):
        yield node


def _by_zone(labels: Labels) -> Iterator[str]:
    if zone := labels.get("zone") or labels.get("topology_kubernetes_io_zone"):
        yield zone


def _by_workload(labels: Labels) -> Iterator[str]:
    if namespace := labels.get("namespace"):
        names = [labels[each] for each in _WORKLOADS if labels.get(each)]
        yield from (f"{namespace}/{name}" for name in (*names, *workloads_of(labels.get("pod", ""))))


def _by_owner(labels: Labels) -> Iterator[str]:
    yield from (f"{labels.get('namespace', '')}/{labels[each]}" for each in _OWNERS if labels.get(each))


_NAMED: Mapping[Tie, Callable[[Labels], Iterator[str]]] = {
    Tie.OBJECT: _by_object,
    Tie.NODE: _by_node,
    Tie.ZONE: _by_zone,
    Tie.WORKLOAD: _by_workload,
    Tie.OWNER: _by_owner,
}


def workloads_of(pod: str) -> tuple[str, ...]:
    """Names of the workloads that a pod of this name belongs to: its controllers end it with hashes or a number."""
    first = _ONE.match(pod)
    if first is None:
        return ()
    second = _SECOND.match(first[1]) if not pod.rpartition("-")[2].isdigit() else None
    return (first[1],) if second is None else (first[1], second[1])
