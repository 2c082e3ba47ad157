"""Whether a node that nothing is heard of surely runs nothing any more. Pure; without proof the answer is no.

Two pods with one volume, or one name of a StatefulSet, are worse than none: only proof, or a person, lets pods of a
silent node be taken for dead.
"""

from auto_healing.actions.nodes.taints import OUT_OF_SERVICE
from auto_healing.marks import FENCED
from common.cluster.rows import NodeRow

SHUTDOWN = "node.cloudprovider.kubernetes.io/shutdown"  # set by a cloud provider that says the machine is off


def proof_of_fencing(node: NodeRow) -> str:
    """Who says that it is off; empty when nobody does. Our own out-of-service taint proves nothing."""
    for taint in node.taints:
        if taint.key == SHUTDOWN:
            return "its cloud provider says that the machine is shut down"
        if taint.key == OUT_OF_SERVICE["key"] and taint.value != OUT_OF_SERVICE["value"]:
            return "an operator put the out-of-service taint on it"
    if word := node.annotations.get(FENCED):
        return f"an operator says so: {word}"
    return ""
