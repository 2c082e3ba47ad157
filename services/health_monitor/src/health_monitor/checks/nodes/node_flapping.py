"""A node goes back and forth between ready and not ready."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    changes: int = threshold(
        3,
        "How many changes of readiness within `window` are too many. More than 2 in 15 min is the bound of "
        "KubeNodeReadinessFlapping (https://runbooks.prometheus-operator.dev/runbooks/kubernetes/"
        "kubenodereadinessflapping/).",
        least=2,
        most=20,
    )
    window: timedelta = threshold(timedelta(minutes=15), "Over which time changes are counted; see `changes`.")


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    changes = snapshot.readiness_changes(node.name)
    if len(changes) < thresholds.changes or changes[-thresholds.changes] <= now - thresholds.window:
        return ()
    count = sum(changed_at > now - thresholds.window for changed_at in changes)
    minutes = round(thresholds.window.total_seconds() / 60)
    return (
        Symptom(
            message=f"Ready changed {count} times within {minutes} min",
            evidence={"changes": count, "window_minutes": minutes},
        ),
    )


CHECK = Check(
    code="node-flapping",
    title="Readiness flapping",
    kind="Node",
    severity=Severity.WARNING,
    summary="Each change moves the node's pods in and out of Services, and each longer one evicts pods: worse for "
    "users than a node that is simply down.",
    run=run,
    thresholds=Thresholds(),
    look_again=timedelta(minutes=1),
)
