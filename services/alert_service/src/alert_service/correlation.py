"""Which incident explains another: a dead node its pods, a broken workload its pods' alerts, a lost zone its
nodes. Pure.

An incident has one parent, and a parent has none itself, so that a family is told in one place.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alert_service.incident import Incident, Member
from alert_service.policy.settings import AlertPolicy, Tie
from alert_service.subjects import subject_of
from common.contracts.objects import ObjectRef

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The incident that it belongs to, and why in one sentence."""

    incident: Incident
    why: str


def parent_of(incident: Incident, near: Iterable[Incident], policy: AlertPolicy, *, now: datetime) -> Parent | None:
    """Of the open ones near it in time the one that explains most; of equals the oldest. None: it stands for itself."""
    own = _rank(incident)
    found = [
        (rank, other, tie)
        for other in near
        if other.id != incident.id and other.open and other.parent_id is None
        if abs(incident.opened_at - other.opened_at) <= policy.correlation.within
        if (rank := _rank(other)) < own
        for tie in _common(incident, other, policy)
        if rank[0] < own[0] or _same(other, incident, tie)
    ]
    if not found:
        return None
    _, parent, tie = min(found, key=lambda each: each[0])
    return Parent(incident=parent, why=f"belongs to an incident of the same {tie}")


def _rank(incident: Incident) -> tuple[int, datetime, UUID]:
    """The larger thing explains the smaller one; of the same, whoever was first. A strict order: no two explain each
    other, so that no incident can become its own ancestor."""
    return reach_of(incident), incident.opened_at, incident.id


def _same(one: Incident, other: Incident, tie: Tie) -> bool:
    """Two pods that happen to run on one node explain nothing about each other; those of one workload do."""
    return tie in (Tie.WORKLOAD, Tie.OWNER) or bool(objects_of(one) & objects_of(other))


def reach_of(incident: Incident) -> int:
    """0 for the whole cluster, and the higher the less it takes in. A group of pods is no more than its pods."""
    reaches = [_SCOPES.index(ref.kind) if ref.kind in _SCOPES else len(_SCOPES) for ref in objects_of(incident)]
    return max(reaches, default=len(_SCOPES))


def _common(incident: Incident, other: Incident, policy: AlertPolicy) -> Iterator[Tie]:
    for tie in policy.correlation.by:
        if keys_of(incident, tie) & keys_of(other, tie):
            yield tie


def objects_of(incident: Incident) -> frozenset[ObjectRef]:
    """The objects that its firing alerts are about."""
    found = (subject_of(member.alert.labels) for member in incident.firing)
    return frozenset(ref for ref in found if ref is not None)


def keys_of(incident: Incident, tie: Tie) -> frozenset[str]:
    """The nodes, zones, workloads or owners that its firing alerts name."""
    return frozenset(key for member in incident.firing for key in _of_member(member, tie))


def _of_member(member: Member, tie: Tie) -> Iterator[str]:
    labels = member.alert.labels
    cluster, namespace = labels.get("cluster", ""), labels.get("namespace", "")
    if tie is Tie.NODE and labels.get("node"):
        yield f"{cluster}/{labels['node']}"
    elif tie is Tie.ZONE and (zone := labels.get("zone") or labels.get("topology_kubernetes_io_zone")):
        yield f"{cluster}/{zone}"
    elif tie is Tie.WORKLOAD:
        yield from (f"{cluster}/{namespace}/{labels[each]}" for each in _WORKLOADS if labels.get(each) and namespace)
        if (pod := labels.get("pod")) and namespace:
            yield from (f"{cluster}/{namespace}/{name}" for name in workloads_of(pod))
    elif tie is Tie.OWNER:
        yield from (f"{cluster}/{namespace}/{labels[each]}" for each in _OWNERS if labels.get(each))


def workloads_of(pod: str) -> tuple[str, ...]:
    """Names of the workloads that a pod of this name belongs to: its controllers end it with hashes or a number."""
    first = _ONE.match(pod)
    if first is None:
        return ()
    second = _SECOND.match(first[1]) if not pod.rpartition("-")[2].isdigit() else None
    return (first[1],) if second is None else (first[1], second[1])
