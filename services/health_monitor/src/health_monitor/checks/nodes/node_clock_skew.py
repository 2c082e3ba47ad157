"""A node's heartbeats carry another time than the one at which they arrive."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    offset: timedelta = threshold(
        timedelta(seconds=5),
        "How far the time in a Lease renewal may be from its arrival here. A judgement: arrival takes well under a "
        "second, and tokens, certificates and logs bear a few seconds.",
    )
    after: timedelta = threshold(
        timedelta(minutes=2),
        "How long it may be so. A judgement: a dozen renewals, so that one late batch is not told.",
    )


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    offset = snapshot.clock_offset(node.name)
    if offset is None or -thresholds.offset <= offset <= thresholds.offset:
        return ()
    seconds = round(abs(offset).total_seconds())
    cause = "is behind ours, or they are slow to arrive" if offset > timedelta(0) else "runs ahead of ours"
    return (
        Symptom(
            message=f"The node's Lease renewals carry a time {seconds} s away from ours: its clock {cause}",
            after=thresholds.after,
            evidence={"offset_seconds": round(offset.total_seconds(), 1)},
        ),
    )


CHECK = Check(
    code="node-clock-skew",
    title="Clock or heartbeat lag",
    kind="Node",
    severity=Severity.WARNING,
    summary="The node's clock is off, or its heartbeats take long to arrive. Tokens and certificates may be refused, "
    "logs and traces lie about order, and a slow heartbeat is close to a lost one.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Lease"}),
)
