"""Several PodDisruptionBudgets select the same pod: it cannot be evicted at all."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from common.cluster.rows import PodDisruptionBudgetRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, NoThresholds, Symptom


def run(
    pdb: PodDisruptionBudgetRow, snapshot: ClusterSnapshot, _thresholds: NoThresholds, _now: datetime
) -> Iterable[Symptom]:
    if pdb.deleted_at is not None:
        return ()
    # Pods of one workload share their labels, and ask the same question: it is asked once for each set of labels.
    distinct = {id(pod.labels): pod for pod in snapshot.pods_selected(pdb) if not pod.finished}
    others = {other.name for pod in distinct.values() for other in snapshot.pdbs_of(pod)} - {pdb.name}
    if not others:
        return ()
    names = ", ".join(sorted(others))
    return (
        Symptom(
            message=f"Pods of this budget are also selected by {names}: the eviction API refuses to evict a pod with "
            "more than one budget, so drains of its node fail",
            evidence={"other_budgets": names},
        ),
    )


CHECK = Check(
    code="pdb-overlapping",
    title="Several budgets on one pod",
    kind="PodDisruptionBudget",
    severity=Severity.WARNING,
    summary="Kubernetes supports one budget per pod only and answers every eviction of such a pod with an error "
    "(https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/).",
    run=run,
    thresholds=NoThresholds(),
    reads=frozenset({"PodDisruptionBudget"}),
    look_again=timedelta(minutes=1),
)
