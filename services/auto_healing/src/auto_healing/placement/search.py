"""Finds the node that the scheduler would likely choose, looking at no more nodes than it has to.

As kube-scheduler does, nodes are looked at from where the last search ended, and a hundred that fit are enough for one
pod. They stay in a heap, the least loaded first, for all pods of the same shape.
"""

from collections.abc import Callable, Collection, Sequence
from heapq import heappop, heappush

from auto_healing.placement.filters import dislike, node_refusal
from auto_healing.placement.rooms import Rooms
from auto_healing.placement.volumes import Reach
from common.cluster.rows import NodeRow, PodRow

AT_ONCE = 100  # kube-scheduler's minFeasibleNodesToFind
CANDIDATES = 10  # that are compared by what other pods have to do with them
SLIGHT = 1e-9

Judge = Callable[[NodeRow], float | None]  # what is added to a node's cost, 0 or more; None refuses


class Search:
    """For the pods of one shape, as long as no room grows: what does not fit once is not looked at again."""

    def __init__(self, pod: PodRow, reach: Reach, *, nodes: Sequence[NodeRow], start: int, rooms: Rooms) -> None:
        self._pod = pod  # one of the shape; kept, so that nothing else can take on the shape's identity
        self._reach = reach
        self._nodes = nodes
        self._rooms = rooms
        self._next = start % len(nodes) if nodes else 0
        self._left = len(nodes)  # not looked at yet
        self._heap: list[tuple[float, str, NodeRow]] = []
        self._dislikes: dict[str, float] = {}

    @property
    def full(self) -> bool:
        """Whether every node was looked at, and none has room for this shape whatever runs there."""
        return not self._heap and not self._left

    def best(self, judge: Judge, *, away: Collection[str]) -> NodeRow | None:
        """The cheapest of the candidates that `judge` does not refuse; None when it refuses all that have room."""
        self._extend(away)
        tried: list[tuple[float, str, NodeRow]] = []
        chosen, lowest, found = None, float("inf"), 0
        while found < CANDIDATES and (self._heap or self._extend(away)):
            if self._heap[0][0] >= lowest:
                break
            entry = heappop(self._heap)
            if entry[1] in away or (cost := self._cost(entry[2])) is None:
                continue
            if cost > entry[0] + SLIGHT:  # other pods came meanwhile
                heappush(self._heap, (cost, entry[1], entry[2]))
                continue
            tried.append(entry)
            extra = judge(entry[2])
            if extra is None:
                continue
            found += 1
            if cost + extra < lowest:
                chosen, lowest = entry[2], cost + extra
        for entry in tried:
            heappush(self._heap, entry)
        return chosen

    def _extend(self, away: Collection[str]) -> bool:
        """Find more nodes with room. False when there are none left."""
        more = 0
        while self._left and more < AT_ONCE:
            node = self._nodes[self._next]
            self._next = (self._next + 1) % len(self._nodes)
            self._left -= 1
            if node_refusal(self._pod, self._reach, node, taken_away=node.name in away):
                continue
            if penalty := dislike(self._pod, node):
                self._dislikes[node.name] = penalty
            if (cost := self._cost(node)) is not None:
                heappush(self._heap, (cost, node.name, node))
                more += 1
        return more > 0

    def _cost(self, node: NodeRow) -> float | None:
        """None when it has no room."""
        room, asked = self._rooms[node.name], self._pod.requests
        if not room.holds(asked):
            return None
        return room.load(asked) + self._dislikes.get(node.name, 0.0)
