"""Nodes that are being taken away: what would be trouble elsewhere is how they end."""

from common.cluster.rows import NodeRow

# Set by autoscalers before they end the machine; the Node object goes some minutes later.
REMOVAL_TAINTS = frozenset({"ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"})


def leaving(node: NodeRow) -> bool:
    if node.deleted_at is not None:
        return True
    return bool(node.taints) and any(taint.key in REMOVAL_TAINTS for taint in node.taints)
