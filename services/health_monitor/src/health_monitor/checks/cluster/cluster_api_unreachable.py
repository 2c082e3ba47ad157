"""The API server does not answer at all."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.checks.check import SOURCES, Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(seconds=15),
        "How long it may be so. A judgement: a load balancer needs some 10 s to leave out a dead API server.",
    )


def run(_cluster: ObjectKey, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    since = snapshot.api.unreachable_since
    if since is None:
        return ()
    return (
        Symptom(
            message="The API server does not answer: nothing that happens in the cluster is seen until it does",
            since=since,
            after=thresholds.after,
            restarts_timer=False,
        ),
    )


CHECK = Check(
    code="cluster-api-unreachable",
    title="API server unreachable",
    kind=CLUSTER,
    severity=Severity.CRITICAL,
    summary="This client cannot reach the API server. What runs goes on running, but nothing is deployed, scaled or "
    "replaced, and all that is reported here is as old as this finding.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({SOURCES}),
)
