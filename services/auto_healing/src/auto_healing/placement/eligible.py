"""Nodes that pods of one kind may choose whatever runs there, each looked at once."""

from collections.abc import Sequence

from auto_healing.placement.filters import dislike, node_refusal, reach_refusal
from auto_healing.placement.volumes import Reach
from common.cluster.rows import NodeRow, PodRow


class Eligible:
    """For pods that agree in tolerations, node selector, node affinity and the reach of their volumes."""

    __slots__ = ("_pod", "_reach", "_refusals", "dislikes", "nodes")

    def __init__(self, pod: PodRow, reach: Reach, nodes: Sequence[NodeRow]) -> None:
        self._pod = pod  # one of its kind; kept, so that nothing else can take on the identity of its parts
        self._reach = reach
        self._refusals: list[tuple[str, str] | None] = [None] * len(nodes)  # None: not looked at yet
        self.nodes = nodes
        self.dislikes: dict[str, float] = {}

    def refusals(self, index: int) -> tuple[str, str]:
        """What the filters say of the node of that index that come before its room, and those that come after."""
        found = self._refusals[index]
        if found is None:
            node = self.nodes[index]
            found = (node_refusal(self._pod, node, taken_away=False), reach_refusal(self._reach, node))
            self._refusals[index] = found
            if not any(found) and (penalty := dislike(self._pod, node)):
                self.dislikes[node.name] = penalty
        return found
