"""Whether a pod's node explains what is wrong with it."""

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot


def on_unready_node(pod: PodRow, snapshot: ClusterSnapshot) -> bool:
    """Whether the node is known and not ready: then nothing that is reported of the pod is new."""
    node = snapshot.node(pod.node) if pod.node else None
    return node is not None and not node.ready
