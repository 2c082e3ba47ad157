"""The Kubernetes object that labels speak of, and the labels that speak of one, as kube-state-metrics has them. Pure.

https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics
"""

from collections.abc import Mapping

from common.contracts.objects import CLUSTER, ObjectRef

# The most particular first: an alert about a pod names its node and its workload too.
_LABELS = {
    "Pod": "pod",
    "PersistentVolumeClaim": "persistentvolumeclaim",
    "Job": "job_name",
    "CronJob": "cronjob",
    "HorizontalPodAutoscaler": "horizontalpodautoscaler",
    "PodDisruptionBudget": "poddisruptionbudget",
    "Deployment": "deployment",
    "StatefulSet": "statefulset",
    "DaemonSet": "daemonset",
    "ReplicaSet": "replicaset",
    "Node": "node",
    "PersistentVolume": "persistentvolume",
    "Zone": "zone",
}
_UNBOUND = frozenset({"Node", "PersistentVolume", "Zone", CLUSTER})
_KIND, _NAME = "object_kind", "object_name"  # for any other kind


def subject_of(labels: Mapping[str, str]) -> ObjectRef | None:
    """None when they name none; a namespace alone is none."""
    namespace = labels.get("namespace", "")
    if kind := labels.get(_KIND):
        return ObjectRef(kind=kind, namespace=namespace, name=labels.get(_NAME, ""))
    for kind, label in _LABELS.items():
        name = labels.get(label)
        if name and (kind in _UNBOUND or namespace):
            return ObjectRef(kind=kind, namespace="" if kind in _UNBOUND else namespace, name=name)
    return None


def labels_of(ref: ObjectRef) -> dict[str, str]:
    """So that `subject_of` finds the object again."""
    place = {"namespace": ref.namespace} if ref.namespace else {}
    if label := _LABELS.get(ref.kind):
        return {**place, label: ref.name}
    return {**place, _KIND: ref.kind, _NAME: ref.name}
