"""The API server refuses or fails a part of this client's requests."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.checks.check import SOURCES, Check, Symptom, threshold

_OUTAGE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Thresholds:
    ratio: float = threshold(
        0.05,
        "Part of the requests that may fail with 5xx, 429 or a lost connection. A judgement: retries hide that much.",
        least=0,
        most=1,
    )
    critical_ratio: float = threshold(
        0.2,
        "Part from which it is critical. 20 % is the bound of KubeAPITerminatedRequests "
        "(https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubeapiterminatedrequests/).",
        least=0,
        most=1,
    )
    requests: int = threshold(
        20,
        "How many requests of the last minutes it takes to judge. A judgement: one failure of few is chance.",
        least=1,
    )
    after: timedelta = threshold(
        timedelta(minutes=1), "How long it may be so. A judgement: an election or restart is over."
    )


def run(_cluster: ObjectKey, snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    api = snapshot.api
    if api.unreachable_since is not None and now - api.unreachable_since >= _OUTAGE:
        return ()  # it answers nothing at all: cluster-api-unreachable says so
    if not api.errors or api.requests < thresholds.requests or api.errors <= api.requests * thresholds.ratio:
        return ()
    critical = api.errors > api.requests * thresholds.critical_ratio
    return (
        Symptom(
            message=f"{api.errors} of {api.requests} requests to the API server fail with an error of the server, "
            "are throttled or lose their connection",
            after=thresholds.after,
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            evidence={"errors": api.errors, "requests": api.requests},
        ),
    )


CHECK = Check(
    code="cluster-api-errors",
    title="API server failing requests",
    kind=CLUSTER,
    severity=Severity.WARNING,
    summary="A part of this client's requests ends in 5xx, 429 or a lost connection. Other clients most likely "
    "suffer the same: deployments, autoscaling and failover become slow and uncertain.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({SOURCES}),
)
