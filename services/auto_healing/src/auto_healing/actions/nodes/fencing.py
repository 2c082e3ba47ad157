"""Whether a node that nothing is heard of surely runs nothing any more. Pure; without proof the answer is no.

Two pods with one volume, or one name of a StatefulSet, are worse than none: only proof, or a person, lets pods of a
silent node be taken for dead.
"""

from datetime import datetime

from msgspec.structs import replace

from auto_healing.actions.nodes.sickness import READY
from auto_healing.actions.nodes.taints import OUT_OF_SERVICE
from auto_healing.kube.cluster import Manifest
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


def live_proof(manifest: Manifest, node: NodeRow) -> str:
    """As `proof_of_fencing`, but for an operator's word that was given before the node fell silent, about another time.

    Only the live object tells when the annotation was written.
    """
    proof = proof_of_fencing(node)
    said_at, ready = _said_at(manifest), node.condition(READY)
    if not proof or said_at is None or ready is None or ready.changed_at is None or said_at >= ready.changed_at:
        return proof
    return proof_of_fencing(replace(node, annotations={}))


def _said_at(manifest: Manifest) -> datetime | None:
    for writer in manifest["metadata"].get("managedFields") or ():
        annotations = ((writer.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {}
        if f"f:{FENCED}" in annotations and writer.get("time"):
            return datetime.fromisoformat(writer["time"])
    return None
