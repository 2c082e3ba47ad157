"""A PodDisruptionBudget that protects no pod."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodDisruptionBudgetRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.workloads.sight import scaled_to_zero, sees


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=15),
        "How long there may be no pod: longer than it takes to install the workload after its budget. A judgement.",
    )


def run(
    pdb: PodDisruptionBudgetRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime
) -> Iterable[Symptom]:
    if pdb.expected_pods or pdb.observed_generation < pdb.generation or pdb.deleted_at is not None:
        return ()
    if not sees(snapshot, "Pod") or snapshot.pods_selected(pdb):
        return ()
    if scaled_to_zero(pdb.selector, pdb.namespace, snapshot):
        return ()
    allowed = pdb.condition("DisruptionAllowed")
    labels = ", ".join(f"{key}={value}" for key, value in sorted(pdb.selector.labels.items()))
    return (
        Symptom(
            message=f"The budget selects no pod ({labels or 'its selector is empty'}): it protects nothing, most "
            "likely because labels were renamed or the workload is gone",
            since=allowed.changed_at if allowed is not None and allowed.status == "False" else None,
            after=thresholds.after,
            evidence={"selector": labels},
        ),
    )


CHECK = Check(
    code="pdb-selects-nothing",
    title="Budget selects no pod",
    kind="PodDisruptionBudget",
    severity=Severity.INFO,
    summary="Whoever wrote the budget believes that something is protected, and nothing is. A workload scaled to zero "
    "is not told.",
    run=run,
    thresholds=Thresholds(),
    look_again=timedelta(minutes=1),
)
