"""Where a plan happens. Pure."""

from auto_healing.plan import Plan
from auto_healing.run import Place
from common.cluster.rows import NodeRow, PodRow, Row
from common.cluster.snapshot import ClusterSnapshot

# Of Karpenter, EKS, GKE, AKS and Cluster API, in the order in which they are looked for.
POOL_LABELS = (
    "karpenter.sh/nodepool",
    "eks.amazonaws.com/nodegroup",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "cluster.x-k8s.io/deployment-name",
)


def place_of(plan: Plan, snapshot: ClusterSnapshot) -> Place:
    """Of the target as it is now; of one that is gone only its name is known."""
    row = snapshot.find(plan.target.key)
    node = _node_of(plan, row, snapshot)
    return Place(
        owner=plan.target.key if row is None else snapshot.top_owner(row),
        node="" if node is None else node.name,
        zone="" if node is None else node.zone,
        pool="" if node is None else pool_of(node),
    )


def pool_of(node: NodeRow) -> str:
    """Empty when none of the labels is there."""
    return next((pool for label in POOL_LABELS if (pool := node.labels.get(label))), "")


def _node_of(plan: Plan, row: Row | None, snapshot: ClusterSnapshot) -> NodeRow | None:
    if isinstance(row, NodeRow):
        return row
    if isinstance(row, PodRow):
        return snapshot.node(row.node)
    subject = snapshot.find(plan.fault.subject)
    return subject if isinstance(subject, NodeRow) else None
