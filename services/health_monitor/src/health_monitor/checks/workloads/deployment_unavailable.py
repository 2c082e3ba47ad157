"""A Deployment has fewer ready replicas than it should."""

from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.checks.workloads.replicas import ReplicaThresholds, run

CHECK = Check(
    code="deployment-unavailable",
    title="Replicas unavailable",
    kind="Deployment",
    severity=Severity.WARNING,
    summary="Some or all replicas of the Deployment do not serve. Critical when none does: the application is down.",
    run=run,
    thresholds=ReplicaThresholds(),
)
