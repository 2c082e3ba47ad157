"""A PodDisruptionBudget that lets nobody go, though all its pods are healthy."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodDisruptionBudgetRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=15),
        "How long the budget may allow nothing: longer than a rollout during which pods come and go. A judgement.",
    )


def run(
    pdb: PodDisruptionBudgetRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime
) -> Iterable[Symptom]:
    if pdb.disruptions_allowed or not pdb.expected_pods or pdb.current_healthy < pdb.expected_pods:
        return ()
    if pdb.observed_generation < pdb.generation or pdb.deleted_at is not None:
        return ()
    allowed = pdb.condition("DisruptionAllowed")
    rule = f"maxUnavailable {pdb.max_unavailable}" if pdb.max_unavailable else f"minAvailable {pdb.min_available}"
    return (
        Symptom(
            message=f"All {pdb.expected_pods} pods are healthy, yet none may be evicted ({rule}): every drain of their "
            "nodes waits for ever",
            since=allowed.changed_at if allowed is not None and allowed.status == "False" else None,
            after=thresholds.after,
            evidence={
                "expected_pods": pdb.expected_pods,
                "desired_healthy": pdb.desired_healthy,
                "min_available": pdb.min_available,
                "max_unavailable": pdb.max_unavailable,
            },
        ),
    )


CHECK = Check(
    code="pdb-blocks-evictions",
    title="Budget blocks every eviction",
    kind="PodDisruptionBudget",
    severity=Severity.WARNING,
    summary="The budget asks for as many healthy pods as there are, so node drains, upgrades and autoscalers that "
    "shrink the cluster are stopped by it. A budget that merely waits for an unhealthy pod is not told.",
    run=run,
    thresholds=Thresholds(),
)
