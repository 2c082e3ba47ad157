"""A large part of a zone's nodes is not ready."""

from collections.abc import Iterable
from datetime import datetime

from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey, Severity
from common.contracts.objects import ZONE
from health_monitor.checks.check import Check, Symptom
from health_monitor.checks.cluster.not_ready_share import ShareThresholds, not_ready_share


def run(zone: ObjectKey, snapshot: ClusterSnapshot, thresholds: ShareThresholds, _now: datetime) -> Iterable[Symptom]:
    unready = snapshot.unready_nodes(zone.name)
    if not unready:
        return ()
    total = len(snapshot.zones().get(zone.name, ()))
    return not_ready_share(len(unready), total, where=f"in zone {zone.name}", thresholds=thresholds)


CHECK = Check(
    code="zone-nodes-not-ready",
    title="Zone losing nodes",
    kind=ZONE,
    severity=Severity.WARNING,
    summary="Many nodes of one zone are not ready at once: a fault of the zone, its network or what was rolled out "
    "to it, not of the nodes. Replacing nodes one by one does not help.",
    run=run,
    thresholds=ShareThresholds(),
    reads=frozenset({"Node"}),
)
