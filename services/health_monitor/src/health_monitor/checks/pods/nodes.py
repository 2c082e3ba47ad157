"""Whether a pod's node explains what is wrong with it."""

from datetime import datetime

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot


def on_unready_node(pod: PodRow, snapshot: ClusterSnapshot) -> bool:
    """Whether the node is known and not ready: then nothing that is reported of the pod is new."""
    node = snapshot.node(pod.node) if pod.node else None
    return node is not None and not node.ready


def node_ready_since(pod: PodRow, snapshot: ClusterSnapshot) -> datetime | None:
    """Since when its node is ready, where both are known."""
    node = snapshot.node(pod.node) if pod.node else None
    ready = node.condition("Ready") if node is not None and node.ready else None
    return ready.changed_at if ready is not None else None
