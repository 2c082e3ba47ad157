"""A node claims to be ready, but its heartbeat has stopped: the earliest sign that it is gone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot, SourceState
from common.contracts import Severity
from health_monitor.checks.check import NO_TIME, Check, Symptom, threshold
from health_monitor.checks.nodes.leaving import leaving

# Held ready: every renewal of every node comes by here, and makes a symptom that is due unless the next one comes.
MESSAGE = (
    "The node says Ready, but its Lease is not renewed any more: it is probably down, and the control plane has not "
    "noticed yet"
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(seconds=40),
        "How old a node's last Lease renewal may be while Ready says True. Kubelets renew every 10 s and give the "
        "Lease a life of 40 s (nodeLeaseDurationSeconds, "
        "https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/).",
    )


def run(node: NodeRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    lease = snapshot.lease(node.name)
    if lease is None or lease.renewed_at is None or not node.ready or leaving(node):
        return ()
    if not _watching(snapshot):
        return ()
    return (
        Symptom(
            message=MESSAGE,
            since=lease.renewed_at + (snapshot.clock_offset(node.name) or NO_TIME),
            after=thresholds.after,
            evidence={"lease_duration_seconds": lease.duration_seconds},
        ),
    )


def _watching(snapshot: ClusterSnapshot) -> bool:
    """Whether Leases that grow old are old, and not just unheard of here."""
    source = snapshot.sources.get("Lease")
    return source is not None and source.state is SourceState.SYNCED


CHECK = Check(
    code="node-lease-stale",
    title="Node's heartbeat stopped",
    kind="Node",
    severity=Severity.WARNING,
    summary="Ready is True, yet the node's Lease is not renewed any more. Some 10 s later the control plane will set "
    "Ready to Unknown; if it does not, the two disagree and the node should not be trusted.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Lease"}),
)
