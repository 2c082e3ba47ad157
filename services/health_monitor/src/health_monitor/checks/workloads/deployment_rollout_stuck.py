"""A new revision of a Deployment does not come up."""

from collections.abc import Iterable
from datetime import datetime

from common.cluster.rows import DeploymentRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, NoThresholds, Symptom


def run(
    deployment: DeploymentRow, _snapshot: ClusterSnapshot, _thresholds: NoThresholds, _now: datetime
) -> Iterable[Symptom]:
    for condition in deployment.conditions:
        if condition.type == "Progressing" and condition.status == "False":
            break
    else:
        return ()
    if deployment.deleted_at is not None:
        return ()
    replicas, updated = deployment.replicas, deployment.updated_replicas
    deadline = deployment.progress_deadline_seconds or 600
    revision = f" of revision {deployment.revision}" if deployment.revision else ""
    available = deployment.available_replicas
    waited = f", and nothing moved for {deadline} s" if condition.reason == "ProgressDeadlineExceeded" else ""
    return (
        Symptom(
            message=f"The rollout{revision} is stuck ({condition.reason}): {updated} of {replicas} replicas are "
            f"updated, {available} are available{waited}",
            since=condition.changed_at,
            evidence={
                "reason": condition.reason,
                "revision": deployment.revision,
                "replicas": replicas,
                "updated": updated,
                "available": available,
                "progress_deadline_seconds": deadline,
            },
        ),
    )


CHECK = Check(
    code="deployment-rollout-stuck",
    title="Rollout stuck",
    kind="Deployment",
    severity=Severity.WARNING,
    summary="The Deployment controller has given up waiting: the pods of the new revision do not become available "
    "within progressDeadlineSeconds. The old ones go on serving where there are any; nobody rolls back by itself.",
    run=run,
    thresholds=NoThresholds(),
)
