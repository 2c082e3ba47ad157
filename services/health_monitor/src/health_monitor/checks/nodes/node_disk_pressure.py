"""A node has too little free disk."""

from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.checks.nodes.conditions import ConditionThresholds, while_true

CHECK = Check(
    code="node-disk-pressure",
    title="Disk pressure",
    kind="Node",
    severity=Severity.WARNING,
    summary="The kubelet deletes unused images and evicts pods to win back disk space, and no new pod is placed on "
    "the node.",
    run=while_true("DiskPressure", "The node runs out of disk space or inodes"),
    thresholds=ConditionThresholds(),
)
