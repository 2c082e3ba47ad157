"""Which other healers are at work: told by taints, labels, annotations and conditions, or by lists of their objects.

What only marks an object as theirs stops nobody; what shows that they act on it, or would undo what is done, does.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from auto_healing.facts import OtherHealer
from auto_healing.marks import CORDONED_BY
from common.cluster.rows import NodeRow, Row, Selector
from common.cluster.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class AtWork:
    """Who, by code, and what it shows by, for people."""

    code: str
    sign: str


_TAINTS = {
    "ToBeDeletedByClusterAutoscaler": ("cluster-autoscaler", "Cluster Autoscaler is about to remove it"),
    "karpenter.sh/disrupted": ("karpenter", "Karpenter is about to remove it"),
    "karpenter.sh/disruption": ("karpenter", "Karpenter is about to remove it"),
    "node.cluster.x-k8s.io/outdated-revision": ("cluster-api", "Cluster API is about to replace it by a new revision"),
    "medik8s.io/remediation": ("node-health-check", "Medik8s remediates it"),
    "medik8s.io/drain": ("node-health-check", "Medik8s has it in maintenance"),
    "remediator.kubernetes.azure.com/unschedulable": ("cloud", "AKS repairs it"),
    "cloud.google.com/impending-node-termination": ("cloud", "Google Cloud is about to end it"),
}
_TAINT_PREFIXES = {"aws-node-termination-handler/": ("cloud", "AWS is about to end it")}
_ANNOTATIONS = {
    "weave.works/kured-reboot-in-progress": ("kured", "kured reboots it"),
    "descheduler.alpha.kubernetes.io/eviction-in-progress": ("descheduler", "descheduler evicts it"),
}
_CONDITIONS = {"DrainScheduled": ("draino", "draino has scheduled its drain")}
_GIT = {
    "argocd.argoproj.io/tracking-id": "argo-cd",
    "argocd.argoproj.io/instance": "argo-cd",
    "kustomize.toolkit.fluxcd.io/name": "flux",
    "helm.toolkit.fluxcd.io/name": "flux",
}
_TITLES = {"argo-cd": "Argo CD", "flux": "Flux"}
# By which Argo CD knows its own unless it is told otherwise, before version 3. Helm sets it as well: it tells nothing
# unless there is an Application of that name.
_INSTANCE = "app.kubernetes.io/instance"
KEDA_LABEL = "scaledobject.keda.sh/name"


def taking_node(node: NodeRow) -> AtWork | None:
    """Who takes the node away, or repairs it, right now."""
    if node.deleted_at is not None:
        return AtWork("deletion", "it is being deleted")
    for taint in node.taints:
        if found := _TAINTS.get(taint.key):
            return AtWork(*found)
        for prefix, found in _TAINT_PREFIXES.items():
            if taint.key.startswith(prefix):
                return AtWork(*found)
    for condition in node.conditions:
        if condition.status == "True" and (found := _CONDITIONS.get(condition.type)):
            return AtWork(*found)
    return _annotated(node)


def foreign_cordon(node: NodeRow) -> AtWork | None:
    """A cordon without our marks: a person's, or another tool's."""
    if node.unschedulable and CORDONED_BY not in node.annotations:
        return AtWork("cordon", "it was cordoned by a person or another tool")
    return None


def taking_pod(pod: Row) -> AtWork | None:
    """Who takes the pod away right now."""
    if pod.deleted_at is not None:
        return AtWork("deletion", "it is being deleted already")
    return _annotated(pod)


def _annotated(row: Row) -> AtWork | None:
    for key, found in _ANNOTATIONS.items():
        if key in row.annotations:
            return AtWork(*found)
    return None


def kept_in_git(row: Row, others: Iterable[OtherHealer] = ()) -> AtWork | None:
    """Who would put the object back as Git has it."""
    for key, code in _GIT.items():
        if key in row.labels or key in row.annotations:
            return _puts_back(code)
    instance = row.labels.get(_INSTANCE)
    return next((_puts_back(other.code) for other in others if instance in other.instances), None)


def _puts_back(code: str) -> AtWork:
    return AtWork(code, f"{_TITLES[code]} would put it back as Git has it: change it there")


# --- lists of their own objects, asked for by whoever can


def healers_of_nodes(
    *,
    node_health_checks: Iterable[Mapping[str, Any]] = (),
    machine_health_checks: Iterable[Mapping[str, Any]] = (),
    machines: Iterable[Mapping[str, Any]] = (),
    snapshot: ClusterSnapshot,
) -> tuple[OtherHealer, ...]:
    """From manifests of remediation.medik8s.io, cluster.x-k8s.io and machine.openshift.io."""
    nodes = snapshot.rows(NodeRow).values()
    by_nodes = [
        _healer(
            "node-health-check", each, lambda selector: [node.name for node in nodes if selector.matches(node.labels)]
        )
        for each in node_health_checks
    ]
    all_machines = list(machines)
    by_machines = [
        _healer("machine-health-check", each, lambda selector: _nodes_of(all_machines, selector))
        for each in machine_health_checks
    ]
    return tuple(by_nodes + by_machines)


def applications_of_argo_cd(applications: Iterable[Mapping[str, Any]]) -> tuple[OtherHealer, ...]:
    """From the metadata of Applications of argoproj.io; outside of Argo CD's own namespace their label names both."""
    found = (each["metadata"] for each in applications)
    return tuple(
        OtherHealer(
            code="argo-cd",
            name=each["name"],
            instances=frozenset({each["name"], f"{each['namespace']}_{each['name']}"}),
        )
        for each in found
    )


def _healer(code: str, check: Mapping[str, Any], covered: Callable[[Selector], list[str]]) -> OtherHealer:
    spec = (check.get("spec") or {}).get("selector") or {}
    labels = spec.get("matchLabels") or {}
    expressions = tuple(
        (each["key"], each["operator"], tuple(each.get("values") or ())) for each in spec.get("matchExpressions") or ()
    )
    selector = Selector(labels=labels, expressions=expressions, everything=not labels and not expressions)
    return OtherHealer(code=code, name=check["metadata"]["name"], nodes=frozenset(covered(selector)))


def _nodes_of(machines: Iterable[Mapping[str, Any]], selector: Selector) -> list[str]:
    covered = [each for each in machines if selector.matches(each["metadata"].get("labels") or {})]
    references = [(each.get("status") or {}).get("nodeRef") or {} for each in covered]
    return [reference["name"] for reference in references if reference.get("name")]
