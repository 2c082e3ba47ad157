"""Nobody measures what nodes and pods use."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.snapshot import ClusterSnapshot, SourceState
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.checks.check import NODE_USAGE, POD_USAGE, SOURCES, Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=5),
        "How long it may be so. A judgement: metrics-server measures every 15 s "
        "(https://github.com/kubernetes-sigs/metrics-server) and restarts within a minute or two.",
    )


def run(_cluster: ObjectKey, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    sources = snapshot.sources
    measured = [source for kind in (NODE_USAGE, POD_USAGE) if (source := sources.get(kind))]
    missing = [source for source in measured if source.state is not SourceState.SYNCED]
    if not missing:
        return ()
    reason = missing[0].reason
    message = "metrics.k8s.io does not say what nodes and pods use"
    return (
        Symptom(
            message=f"{message}: {reason}" if reason else message,
            after=thresholds.after,
            evidence={"missing": ", ".join(source.kind for source in missing)},
            restarts_timer=False,
        ),
    )


CHECK = Check(
    code="cluster-metrics-absent",
    title="No usage figures",
    kind=CLUSTER,
    severity=Severity.INFO,
    summary="There are no CPU and memory figures: HorizontalPodAutoscalers and kubectl top do not work, and checks of "
    "utilization say nothing. Scores are given with less confidence.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({SOURCES}),
    weight=0,
)
