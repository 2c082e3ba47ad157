"""Why a pod fits nowhere, in the words of kube-scheduler's FailedScheduling events."""

from collections import Counter

ENDED = "it has ended; nothing of it is placed again"
DELETED = "it is being deleted already; its controller has seen to a replacement"
NO_OWNER = "it has no controller, so nothing makes it again"
STATIC = "it is a static pod, which belongs to its node"
DAEMON = "it is a DaemonSet's pod, which belongs to its node"
GATED = "scheduling is blocked by its scheduling gates"
UNSCHEDULABLE = "node(s) were unschedulable"
PORTS = "node(s) didn't have free ports for the requested pod ports"

IN_USE = (
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
)


def unavailable(nodes: int, counts: Counter[str]) -> str:
    """Such as "0/5000 nodes are available: 3200 Insufficient memory, 1800 node(s) were unschedulable."."""
    if not nodes:
        return "no nodes available to schedule pods"
    parts = ", ".join(f"{number} {why}" for why, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return f"0/{nodes} nodes are available: {parts}."


def unavailable_for_all(nodes: int, why: str) -> str:
    """Of what is no node's fault."""
    return f"0/{nodes} nodes are available: {why}."
