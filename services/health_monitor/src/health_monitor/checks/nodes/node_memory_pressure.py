"""A node has too little free memory."""

from common.contracts import Severity
from health_monitor.checks.check import Check
from health_monitor.checks.nodes.conditions import ConditionThresholds, while_true

CHECK = Check(
    code="node-memory-pressure",
    title="Memory pressure",
    kind="Node",
    severity=Severity.WARNING,
    summary="The kubelet evicts pods to win back memory, those above their requests first; the kernel may kill "
    "others before that.",
    run=while_true("MemoryPressure", "The node runs out of memory"),
    thresholds=ConditionThresholds(),
)
