"""Am I blind? What of the cluster is not seen, or not any more."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.snapshot import ClusterSnapshot, Source, SourceState
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.checks.check import NO_TIME, NODE_USAGE, POD_USAGE, SOURCES, Check, Symptom, threshold

VITAL = frozenset({"Node", "Pod"})
MEASURED = frozenset({NODE_USAGE, POD_USAGE})  # their absence is common, and told by its own check


@dataclass(frozen=True, slots=True)
class Thresholds:
    stale: timedelta = threshold(
        timedelta(seconds=30),
        "How long a watch may be silent or broken. A judgement: reconnecting takes seconds, and the API server ends "
        "quiet watches regularly.",
    )
    starting: timedelta = threshold(
        timedelta(minutes=2), "How long the first list of a kind may take. A judgement: 150,000 pods take some 20 s."
    )


def run(_cluster: ObjectKey, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    return [
        _symptom(source, thresholds)
        for source in snapshot.sources.values()
        if source.state is not SourceState.SYNCED and source.kind not in MEASURED
    ]


def _symptom(source: Source, thresholds: Thresholds) -> Symptom:
    reason = f": {source.reason}" if source.reason else ""
    message, after = {
        SourceState.STALE: (
            f"The watch of kind {source.kind} is broken; what is known of it grows old",
            thresholds.stale,
        ),
        SourceState.STARTING: (f"Kind {source.kind} has not been listed yet", thresholds.starting),
        SourceState.UNSEEN: (f"Kind {source.kind} cannot be seen, so nothing is known of it", NO_TIME),
    }[source.state]
    return Symptom(
        message=message + reason,
        since=source.heard_at if source.state is SourceState.STALE else None,
        after=after,
        part=source.kind,
        severity=Severity.CRITICAL if source.kind in VITAL else Severity.WARNING,
        evidence={"kind": source.kind, "state": source.state.value},
        restarts_timer=False,
    )


CHECK = Check(
    code="cluster-view-stale",
    title="View of the cluster incomplete",
    kind=CLUSTER,
    severity=Severity.WARNING,
    summary="Some kind of object is not seen, or not any more: the watch is broken, the permission is missing, or "
    "the first list never ended. Health of those objects is not known; silence about them is not good news. It lowers "
    "the confidence, not the score.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({SOURCES}),
    weight=0,
)
