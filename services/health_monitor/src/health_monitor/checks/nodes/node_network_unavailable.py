"""A node's pod network is not set up."""

from dataclasses import dataclass
from datetime import timedelta

from common.contracts import Severity
from health_monitor.checks.check import Check, threshold
from health_monitor.checks.nodes.conditions import ConditionThresholds, while_true


@dataclass(frozen=True, slots=True)
class Thresholds(ConditionThresholds):
    after: timedelta = threshold(
        timedelta(seconds=30),
        "How long NetworkUnavailable may be True. On clouds with routes per node a new node starts so, until its route "
        "is made (https://kubernetes.io/docs/reference/node/node-status/#condition).",
    )


CHECK = Check(
    code="node-network-unavailable",
    title="Node network unavailable",
    kind="Node",
    severity=Severity.CRITICAL,
    summary="The network of the node is not configured: its pods reach no other pods, and no new pod is placed on it.",
    run=while_true("NetworkUnavailable", "The pod network of the node is not set up"),
    thresholds=Thresholds(),
)
