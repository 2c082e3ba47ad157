"""What the checks of one built-in node condition have in common."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from health_monitor.checks.check import NO_TIME, Symptom, threshold

BUILT_IN = frozenset({"Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"})


@dataclass(frozen=True, slots=True)
class ConditionThresholds:
    after: timedelta = threshold(
        NO_TIME,
        "How long the condition may be True. The kubelet itself smooths it: once True it stays so for 5 min at least "
        "(evictionPressureTransitionPeriod, https://kubernetes.io/docs/concepts/scheduling-eviction/"
        "node-pressure-eviction/).",
    )


Run = Callable[[NodeRow, ClusterSnapshot, ConditionThresholds, datetime], Iterable[Symptom]]


def while_true(type_: str, meaning: str) -> Run:
    """A check's `run`: one symptom while the condition `type_` is True. `meaning` begins its message."""

    def run(
        node: NodeRow, _snapshot: ClusterSnapshot, thresholds: ConditionThresholds, _now: datetime
    ) -> Iterable[Symptom]:
        for condition in node.conditions:
            if condition.type == type_ and condition.status == "True":
                details = condition.message or condition.reason
                return (
                    Symptom(
                        message=f"{meaning}: {details}" if details else meaning,
                        since=condition.changed_at,
                        after=thresholds.after,
                        evidence={"condition": type_, "reason": condition.reason},
                    ),
                )
        return ()

    return run
