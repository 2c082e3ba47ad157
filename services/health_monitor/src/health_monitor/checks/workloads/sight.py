"""What is seen of a kind, and what is switched off on purpose: absence is not always a fault."""

from common.cluster.rows import DeploymentRow, Selector, StatefulSetRow, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot, SourceState

_KNOWN = frozenset({SourceState.SYNCED, SourceState.STALE})
_SCALED: tuple[type[WorkloadRow], ...] = (DeploymentRow, StatefulSetRow)


def sees(snapshot: ClusterSnapshot, kind: str) -> bool:
    """Whether this kind was ever listed: if not, that there are none of it means nothing."""
    source = snapshot.sources.get(kind)
    return source is not None and source.state in _KNOWN


def hears(snapshot: ClusterSnapshot, kind: str) -> bool:
    """Whether news of this kind reach us now: if not, that nothing happened means nothing."""
    source = snapshot.sources.get(kind)
    return source is not None and source.state is SourceState.SYNCED


def scaled_to_zero(selector: Selector, namespace: str, snapshot: ClusterSnapshot) -> bool:
    """Whether the selector looks for the pods of a workload that somebody has scaled to zero."""
    return any(
        row.replicas == 0 and row.namespace == namespace and selector.matches(row.selector.labels)
        for kind in _SCALED
        for row in snapshot.rows(kind).values()
    )
