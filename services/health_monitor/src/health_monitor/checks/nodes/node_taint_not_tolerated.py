"""A node is kept free by a taint that no pod tolerates."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import NodeRow, Taint
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold

WELL_KNOWN = (
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "node-role.kubernetes.io/",
    "node.cluster.x-k8s.io/",
    "karpenter.sh/",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
    "k8s-health-checker/",
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    ignore: tuple[str, ...] = threshold(
        WELL_KNOWN,
        "Beginnings of the keys of taints that are meant to keep pods away: Kubernetes' own "
        "(https://kubernetes.io/docs/reference/labels-annotations-taints/) and those of autoscalers.",
    )
    after: timedelta = threshold(
        timedelta(hours=1),
        "How long nobody may tolerate it. A judgement: a pool may be made before what will run on it.",
    )


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    if not node.taints:
        return ()
    return [
        _symptom(taint, thresholds)
        for taint in node.taints
        if taint.effect != "PreferNoSchedule"
        and not taint.key.startswith(thresholds.ignore)
        and not _tolerated(taint, snapshot)
    ]


def _tolerated(taint: Taint, snapshot: ClusterSnapshot) -> bool:
    """Whether any pod names the taint. Tolerating everything, as agents on every node do, does not count."""
    return any(
        toleration.key and toleration.tolerates(taint)
        for tolerations in snapshot.tolerations()
        for toleration in tolerations
    )


def _symptom(taint: Taint, thresholds: Thresholds) -> Symptom:
    text = f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"
    return Symptom(
        message=f"No pod in the cluster tolerates the taint {text}: nothing but agents can run on the node",
        since=taint.added_at,
        after=thresholds.after,
        part=f"{taint.key}:{taint.effect}",
        evidence={"key": taint.key, "value": taint.value, "effect": taint.effect},
        restarts_timer=False,
    )


CHECK = Check(
    code="node-taint-not-tolerated",
    title="Taint that nobody tolerates",
    kind="Node",
    severity=Severity.INFO,
    summary="The node has a taint that no pod in the cluster tolerates: it is paid for and stays empty. Often a typing "
    "error in the taint or the toleration, or a left-over.",
    run=run,
    thresholds=Thresholds(),
    look_again=timedelta(minutes=10),
)
