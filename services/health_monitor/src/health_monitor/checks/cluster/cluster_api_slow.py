"""The API server answers this client slowly."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.checks.check import SOURCES, Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    p99_seconds: float = threshold(
        1.0,
        "Seconds within which 99 of 100 requests should be answered. 1 s is Kubernetes' own objective for calls about "
        "single objects (https://github.com/kubernetes/community/blob/master/sig-scalability/slos/slos.md).",
        least=0.01,
    )
    critical_p99_seconds: float = threshold(
        4.0,
        "Seconds from which it is critical. A judgement: controllers and kubelets then miss their leases.",
        least=0.01,
    )
    requests: int = threshold(
        20,
        "How many requests of the last minutes it takes to judge. A judgement: fewer say nothing of 99 in 100.",
        least=1,
    )
    after: timedelta = threshold(
        timedelta(minutes=2), "How long it may be so. A judgement: an election or restart is over."
    )


def run(_cluster: ObjectKey, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    api = snapshot.api
    if api.requests < thresholds.requests or api.p99_seconds <= thresholds.p99_seconds:
        return ()
    critical = api.p99_seconds > thresholds.critical_p99_seconds
    return (
        Symptom(
            message=f"One in a hundred requests to the API server takes {api.p99_seconds:.1f} s or longer",
            after=thresholds.after,
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            evidence={"p99_seconds": round(api.p99_seconds, 3), "requests": api.requests},
        ),
    )


CHECK = Check(
    code="cluster-api-slow",
    title="API server slow",
    kind=CLUSTER,
    severity=Severity.WARNING,
    summary="The API server takes long to answer, as this client sees it. Every controller, kubelet and deployment is "
    "slowed down, and nodes may soon be taken for dead.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({SOURCES}),
)
