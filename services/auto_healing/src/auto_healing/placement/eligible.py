"""Nodes that pods of one kind may choose whatever runs there, each looked at once."""

from collections.abc import Sequence

from auto_healing.placement.filters import dislike, node_refusal
from auto_healing.placement.volumes import Reach
from common.cluster.rows import NodeRow, PodRow


class Eligible:
    """For pods that agree in tolerations, node selector, node affinity and the reach of their volumes."""

    __slots__ = ("_pod", "_reach", "dislikes", "nodes", "refusals")

    def __init__(self, pod: PodRow, reach: Reach, nodes: Sequence[NodeRow]) -> None:
        self._pod = pod  # one of its kind; kept, so that nothing else can take on the identity of its parts
        self._reach = reach
        self.nodes = nodes
        self.refusals: list[str | None] = [None] * len(nodes)  # None: not looked at yet
        self.dislikes: dict[str, float] = {}

    def refusal(self, index: int) -> str:
        """Why the node of that index is out of the question; empty when it is not."""
        why = self.refusals[index]
        if why is None:
            node = self.nodes[index]
            why = self.refusals[index] = node_refusal(self._pod, self._reach, node, taken_away=False)
            if not why and (penalty := dislike(self._pod, node)):
                self.dislikes[node.name] = penalty
        return why
