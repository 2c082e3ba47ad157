"""A DaemonSet is not ready on every node where it should be."""

from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.checks.workloads.replicas import ReplicaThresholds, run

CHECK = Check(
    code="daemonset-unavailable",
    title="Replicas unavailable",
    kind="DaemonSet",
    severity=Severity.WARNING,
    summary="Some nodes lack the agent that the DaemonSet brings to them, such as logs, network or storage. Pods on "
    "nodes that are not ready do not count. Critical when no pod at all is ready.",
    run=run,
    thresholds=ReplicaThresholds(),
    reads=frozenset({"Node"}),
)
