"""What keeps a pod off a node whatever else runs there: as kube-scheduler's filters, and in its words.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins
"""

from typing import NamedTuple

from auto_healing.placement.reasons import IN_USE, UNSCHEDULABLE
from auto_healing.placement.volumes import Reach
from common.cluster.rows import HostPort, NodeRow, NodeTerm, PodRow, Resources, Scheduling, Taint, Toleration

CORDON = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
REPELLING = {"NoSchedule", "NoExecute"}

TAINT_WEIGHT, AFFINITY_WEIGHT = 3.0, 2.0  # against 1 of the node's load: the scheduler's defaults


class Kind(NamedTuple):
    """What pods must have in common to be allowed on the same nodes, as far as what runs there does not matter.

    Pods of equal node selectors share one, so its identity stands for it.
    """

    tolerations: tuple[Toleration, ...]
    node_selector_id: int
    node_terms: tuple[NodeTerm, ...]
    preferred_nodes: tuple[tuple[int, NodeTerm], ...]
    reach: Reach


class Shape(NamedTuple):
    """And what they must have in common to fit in there."""

    kind: Kind
    requests: Resources
    host_ports: tuple[HostPort, ...]


def shape_of(pod: PodRow, reach: Reach) -> Shape:
    scheduling = pod.scheduling
    selector = id(scheduling.node_selector) if scheduling.node_selector else 0
    kind = Kind(pod.tolerations, selector, scheduling.node_terms, scheduling.preferred_nodes, reach)
    return Shape(kind, pod.requests, scheduling.host_ports)


def cordoned(pod: PodRow, node: NodeRow, *, taken_away: bool) -> str:
    if (node.unschedulable or taken_away) and not _tolerated(CORDON, pod.tolerations):
        return UNSCHEDULABLE
    return ""


def taint_refusal(pod: PodRow, node: NodeRow) -> str:
    for taint in node.taints:
        if taint.effect in REPELLING and not _tolerated(taint, pod.tolerations):
            return f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
    return ""


def _tolerated(taint: Taint, tolerations: tuple[Toleration, ...]) -> bool:
    return any(toleration.tolerates(taint) for toleration in tolerations)


def selected(scheduling: Scheduling, node: NodeRow) -> bool:
    """Whether node selector and required node affinity allow the node."""
    labels = node.labels
    for key, value in scheduling.node_selector.items():
        if labels.get(key) != value:
            return False
    terms = scheduling.node_terms
    return not terms or any(term.matches(node.name, labels) for term in terms)


def node_refusal(pod: PodRow, node: NodeRow, *, taken_away: bool) -> str:
    """The first filter that keeps the pod off the node however empty it is; empty when none does."""
    if why := cordoned(pod, node, taken_away=taken_away):
        return why
    if node.taints and (why := taint_refusal(pod, node)):
        return why
    return "" if selected(pod.scheduling, node) else "node(s) didn't match Pod's node affinity/selector"


def reach_refusal(reach: Reach, node: NodeRow) -> str:
    """The same of its volumes, which come after the node's room in the order of the filters."""
    if reach.in_use:
        return IN_USE
    if reach.terms and not reach.allows(node):
        return "node(s) didn't match PersistentVolume's node affinity"
    if reach.node and reach.node != node.name:
        return f"node(s) cannot attach a volume that another pod uses on {reach.node}"
    return ""


def dislike(pod: PodRow, node: NodeRow) -> float:
    """What speaks against the node, from 0: taints that ask to stay away, and preferences it does not meet."""
    cost = 0.0
    for taint in node.taints:
        if taint.effect == "PreferNoSchedule" and not _tolerated(taint, pod.tolerations):
            cost += TAINT_WEIGHT
    preferred = pod.scheduling.preferred_nodes
    if preferred:
        missed = sum(weight for weight, term in preferred if not term.matches(node.name, node.labels))
        cost += AFFINITY_WEIGHT * missed / (sum(weight for weight, _ in preferred) or 1)
    return cost
