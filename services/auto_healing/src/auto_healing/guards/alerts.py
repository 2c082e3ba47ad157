"""While something burns that the step is not about, nothing is risked."""

import re
from datetime import timedelta
from typing import ClassVar

from auto_healing.facts import Facts, FiringAlert
from auto_healing.guards.settings import AlertsSettings
from auto_healing.guards.steps import counted, owner_of, row_of, with_owners
from auto_healing.plan import Decline, Step
from common.cluster.rows import PodRow
from common.contracts import ObjectKey

_AGAIN = timedelta(seconds=30)
_KINDS = {
    "pod": "Pod",
    "deployment": "Deployment",
    "replicaset": "ReplicaSet",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "job_name": "Job",
    "cronjob": "CronJob",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "poddisruptionbudget": "PodDisruptionBudget",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "persistentvolume": "PersistentVolume",
    "service": "Service",
}
_CLUSTER_SCOPED = frozenset({"persistentvolume"})


class Alerts:
    code: ClassVar[str] = "alerts"
    title: ClassVar[str] = "Do alerts fire that are not about the target?"
    looks_at: ClassVar[str] = (
        "The alerts that fire in Alertmanager, by severity and age, without those ignored by name, and without "
        "those whose labels name the target, its workload, its node, or nothing narrower than its namespace. While "
        "Alertmanager is configured and cannot be asked, it holds."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        settings = facts.settings.alerts
        if facts.alerts is None:
            return self._unknown(facts) if settings.required else None
        if not facts.alerts:
            return None
        about = _about(step, facts)
        holding = [
            each for each in facts.alerts if _holds(each, settings, facts) and not _concerns(each, step, about, facts)
        ]
        if not holding:
            return None
        names = sorted({each.name for each in holding})
        return Decline(
            guard=self.code,
            message=f"Firing and not about the target: {counted(len(holding), 'alert')} ({', '.join(names[:3])}"
            + (f" and {len(names) - 3} more)" if len(names) > 3 else ")"),
            numbers={"alerts": len(holding), "first": names[0]},
            look_again_at=facts.now + _AGAIN,
        )

    def _unknown(self, facts: Facts) -> Decline:
        return Decline(
            guard=self.code,
            message="Alertmanager cannot be asked which alerts fire, and the policy requires that",
            look_again_at=facts.now + _AGAIN,
        )


def _holds(alert: FiringAlert, settings: AlertsSettings, facts: Facts) -> bool:
    if settings.severities and alert.labels.get("severity", "") not in settings.severities:
        return False
    return facts.now - alert.since < settings.younger_than and not re.fullmatch(settings.ignored, alert.name)


def _about(step: Step, facts: Facts) -> frozenset[ObjectKey]:
    """The target, its owners and its node; pods on a node that is the target are asked one by one."""
    row = row_of(step, facts)
    keys = {step.target.key, owner_of(step, facts), facts.plan.fault.subject}
    if row is not None and row.kind != "Node":
        keys.update(each.key for each in with_owners(row, facts.snapshot))
    if isinstance(row, PodRow) and row.node:
        keys.add(ObjectKey("Node", "", row.node))
    return frozenset(keys)


def _concerns(alert: FiringAlert, step: Step, about: frozenset[ObjectKey], facts: Facts) -> bool:
    labels = alert.labels
    namespace = labels.get("namespace", "")
    named = [
        ObjectKey(kind, "" if label in _CLUSTER_SCOPED else namespace, labels[label])
        for label, kind in _KINDS.items()
        if labels.get(label)
    ]
    node = labels.get("node") or labels.get("instance", "").rsplit(":", 1)[0]
    if ObjectKey("Node", "", node) in about or any(key in about for key in named):
        return True
    if step.target.kind == "Node" and any(_runs_on(key, step.target.name, facts) for key in named):
        return True
    return not named and not labels.get("node") and bool(namespace) and namespace == step.target.namespace


def _runs_on(key: ObjectKey, node: str, facts: Facts) -> bool:
    pod = facts.snapshot.find(key)
    return isinstance(pod, PodRow) and pod.node == node
