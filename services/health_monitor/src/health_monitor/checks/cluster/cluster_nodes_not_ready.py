"""A large part of all nodes is not ready."""

from collections.abc import Iterable
from datetime import datetime

from common.cluster.rows import NodeRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER
from health_monitor.checks.check import Check, Symptom
from health_monitor.checks.cluster.not_ready_share import ShareThresholds, not_ready_share


def run(
    _cluster: ObjectKey, snapshot: ClusterSnapshot, thresholds: ShareThresholds, _now: datetime
) -> Iterable[Symptom]:
    unready = snapshot.unready_nodes()
    if not unready:
        return ()
    return not_ready_share(len(unready), len(snapshot.rows(NodeRow)), where="in the cluster", thresholds=thresholds)


CHECK = Check(
    code="cluster-nodes-not-ready",
    title="Cluster losing nodes",
    kind=CLUSTER,
    severity=Severity.WARNING,
    summary="Many nodes are not ready at once. Look for what they share before any is repaired: the API server's "
    "address, certificates, the network, a rollout to all nodes.",
    run=run,
    thresholds=ShareThresholds(),
    reads=frozenset({"Node"}),
)
