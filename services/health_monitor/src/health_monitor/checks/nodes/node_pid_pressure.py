"""A node has too few free process ids."""

from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.checks.nodes.conditions import ConditionThresholds, while_true

CHECK = Check(
    code="node-pid-pressure",
    title="PID pressure",
    kind="Node",
    severity=Severity.WARNING,
    summary="When no process id is left, nothing on the node can start a process or thread any more, the kubelet's "
    "own work included.",
    run=while_true("PIDPressure", "The node runs out of process ids"),
    thresholds=ConditionThresholds(),
)
