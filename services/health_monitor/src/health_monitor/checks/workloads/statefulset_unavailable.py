"""A StatefulSet has fewer ready replicas than it should."""

from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.checks.workloads.replicas import ReplicaThresholds, run

CHECK = Check(
    code="statefulset-unavailable",
    title="Replicas unavailable",
    kind="StatefulSet",
    severity=Severity.WARNING,
    summary="Some or all replicas of the StatefulSet do not serve; a quorum may be lost. Critical when none serves: "
    "the application is down.",
    run=run,
    thresholds=ReplicaThresholds(),
)
