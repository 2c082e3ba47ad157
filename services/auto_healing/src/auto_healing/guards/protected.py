"""Some things are never touched, and others not unasked."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.census import is_control_plane
from auto_healing.guards.settings import ProtectedSettings
from auto_healing.guards.steps import displaced_pods, row_of, with_owners
from auto_healing.marks import HEAL
from auto_healing.plan import Decline, Mode, Step
from common.cluster.rows import NamespaceRow, NodeRow, PodRow, Row

_KEEP = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}


class Protected:
    code: ClassVar[str] = "protected"
    title: ClassVar[str] = "Is the target, or what the step displaces, left alone on purpose?"
    looks_at: ClassVar[str] = (
        "Excluded namespaces, control-plane nodes, static pods and critical priority classes; the label or annotation "
        "k8s-health-checker/heal=off on the object, its owners or its namespace, also of pods that a step would "
        "displace; safe-to-evict=false and do-not-disrupt=true on those; and whether the target has opted in, where "
        "the policy asks for it."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        row = row_of(step, facts)
        reason = (
            _excluded(step, row, facts.settings.protected)
            or _opted_out(step.target.namespace, row, facts)
            or _not_opted_in(step.target.namespace, row, facts)
            or _displaced(step, facts)
        )
        return Decline(guard=self.code, message=reason) if reason else None


def _excluded(step: Step, row: Row | None, settings: ProtectedSettings) -> str:
    namespace = step.target.namespace
    if namespace and _matches(namespace, settings.namespaces):
        return f"Namespace {namespace} is excluded by the policy"
    if isinstance(row, NodeRow) and settings.control_plane and is_control_plane(row):
        return f"Node {row.name} belongs to the control plane, which is left alone"
    if not isinstance(row, PodRow):
        return ""
    if settings.control_plane and row.mirror:
        return f"Pod {row.name} is a static pod, which only its node's kubelet can change"
    if row.priority_class in settings.priority_classes:
        return f"Pod {row.name} has priority class {row.priority_class}, which is left alone"
    return ""


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _said(row: Row) -> str | None:
    """What the object itself says. Whatever is not "on" is off: who wrote it did not want to be healed as usual."""
    values = [marks[HEAL] for marks in (row.annotations, row.labels) if HEAL in marks]
    if not values:
        return None
    return "on" if all(value.strip().lower() == "on" for value in values) else "off"


def _marked(namespace: str, row: Row | None, facts: Facts) -> Iterable[tuple[Row, str]]:
    """The object, its owners and its namespace, as far as they say anything."""
    rows = [] if row is None else list(with_owners(row, facts.snapshot))
    around = facts.snapshot.get(NamespaceRow, namespace) if namespace else None
    return [(each, said) for each in (*rows, *([around] if around else [])) if (said := _said(each)) is not None]


def _opted_out(namespace: str, row: Row | None, facts: Facts) -> str:
    for each, said in _marked(namespace, row, facts):
        if said == "off":
            return f"{each.key} has opted out of healing with {HEAL}"
    return ""


def _not_opted_in(namespace: str, row: Row | None, facts: Facts) -> str:
    """What is only observed, or asked for by a person, needs no opt-in."""
    if not facts.opt_in or facts.by_hand or facts.plan.mode not in {Mode.AUTO, Mode.APPROVE}:
        return ""
    if (namespace and _matches(namespace, facts.opted_in_namespaces)) or _marked(namespace, row, facts):
        return ""  # who opted out has been told before
    place = f"neither it, its owner nor namespace {namespace} has" if namespace else "it has not"
    return f"Nobody has opted in to healing: {place} {HEAL}=on"


def _displaced(step: Step, facts: Facts) -> str:
    for pod in displaced_pods(step, facts):
        if pod.name == step.target.name and pod.namespace == step.target.namespace:
            continue
        if reason := _opted_out(pod.namespace, pod, facts):
            return f"It would displace pod {pod.namespace}/{pod.name}, but {reason}"
        for key, value in _KEEP.items():
            if pod.annotations.get(key) == value and pod.ready:
                return f"It would displace pod {pod.namespace}/{pod.name}, which forbids that with {key}={value}"
    return ""
