"""Conditions beyond the built-in ones, as node-problem-detector and the agents of clouds set them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from common.cluster.rows import Condition, NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import NO_TIME, Check, Symptom
from health_monitor.checks.nodes.conditions import BUILT_IN

OTHERS = "*"


@dataclass(frozen=True, slots=True)
class ConditionRule:
    """When a condition is bad, how long it may be so, and how bad that is."""

    bad: Literal["True", "False"] = "True"
    severity: Severity = Severity.WARNING
    after: timedelta = NO_TIME


_BROKEN = ConditionRule(severity=Severity.CRITICAL)
_STRAINED = ConditionRule(severity=Severity.WARNING)
_NOT_READY = ConditionRule(bad="False", severity=Severity.CRITICAL)

KNOWN = MappingProxyType(
    {
        "KernelDeadlock": _BROKEN,
        "ReadonlyFilesystem": _BROKEN,
        "XfsShutdown": _BROKEN,
        "CperHardwareErrorFatal": _BROKEN,
        "CorruptDockerOverlay2": _BROKEN,
        "FilesystemCorruptionProblem": _BROKEN,
        "KubeletUnhealthy": _BROKEN,
        "KubeletProblem": _BROKEN,
        "ContainerRuntimeUnhealthy": _BROKEN,
        "ContainerRuntimeProblem": _BROKEN,
        "FrequentKubeletRestart": _STRAINED,
        "FrequentContainerdRestart": _STRAINED,
        "FrequentDockerRestart": _STRAINED,
        "FrequentUnregisterNetDevice": _STRAINED,
        "NTPProblem": _STRAINED,
        "KernelReady": _NOT_READY,
        "StorageReady": _NOT_READY,
        "NetworkingReady": _NOT_READY,
        "ContainerRuntimeReady": _NOT_READY,
        "AcceleratedHardwareReady": _NOT_READY,
    }
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    conditions: Mapping[str, ConditionRule] = field(
        default_factory=lambda: KNOWN,
        metadata={
            "description": "Rules by type of condition; a rule of `*` holds for all types without one of their own, "
            "and null removes a rule. Known from the start are the conditions of node-problem-detector "
            "(https://github.com/kubernetes/node-problem-detector/tree/master/config), AKS "
            "(https://learn.microsoft.com/azure/aks/node-problem-detector) and EKS "
            "(https://docs.aws.amazon.com/eks/latest/userguide/node-health.html)."
        },
    )


def run(node: NodeRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    if BUILT_IN.issuperset([condition.type for condition in node.conditions]):
        return ()
    rules = thresholds.conditions
    others = rules.get(OTHERS)
    return [
        _symptom(condition, rule)
        for condition in node.conditions
        if condition.type not in BUILT_IN
        and (rule := rules.get(condition.type, others)) is not None
        and condition.status == rule.bad
    ]


def _symptom(condition: Condition, rule: ConditionRule) -> Symptom:
    details = condition.message or condition.reason
    message = f"The node's condition {condition.type} is {condition.status}"
    return Symptom(
        message=f"{message}: {details}" if details else message,
        since=condition.changed_at,
        after=rule.after,
        part=condition.type,
        severity=rule.severity,
        evidence={"condition": condition.type, "status": condition.status, "reason": condition.reason},
    )


CHECK = Check(
    code="node-condition",
    title="Node condition bad",
    kind="Node",
    severity=Severity.WARNING,
    summary="An agent on the node has found a problem and says so in a node condition: a kernel deadlock, a "
    "read-only or corrupt file system, a runtime that restarts again and again, broken hardware.",
    run=run,
    thresholds=Thresholds(),
)
