"""Finds the node that the scheduler would likely choose, looking at no more nodes than it has to.

As kube-scheduler does, nodes are looked at from where the last search ended, and a hundred that fit are enough for one
pod. They stay in a heap, the least loaded first, for all pods of the same shape.
"""

from collections import Counter
from collections.abc import Callable, Collection
from heapq import heappop, heappush

from auto_healing.placement.eligible import Eligible
from auto_healing.placement.reasons import PORTS, UNSCHEDULABLE
from auto_healing.placement.rooms import Rooms
from common.cluster.rows import NodeRow, PodRow

AT_ONCE = 100  # kube-scheduler's minFeasibleNodesToFind
CANDIDATES = 10  # that are compared by what other pods have to do with them
SLIGHT = 1e-9

Judge = Callable[[NodeRow], float | str]  # what is added to a node's cost, 0 or more; or why it is refused
Entry = tuple[float, str, NodeRow]  # cost when it was put there, name


class Search:
    """For the pods of one shape, as long as no room grows: what does not fit once is not looked at again."""

    def __init__(self, eligible: Eligible, pod: PodRow, *, start: int, rooms: Rooms) -> None:
        self._eligible = eligible
        self._pod = pod  # one of the shape
        self._rooms = rooms
        self._left = len(eligible.nodes)  # not looked at yet
        self._next = start % self._left if self._left else 0
        self._heap: list[Entry] = []
        self._out: Counter[str] = Counter()  # why nodes were dropped for good

    def best(self, judge: Judge, *, least: float, away: Collection[str]) -> NodeRow | Counter[str]:
        """The cheapest of the candidates; when none fits, why not, of all nodes. The judge adds `least` or more."""
        self._extend(away)
        tried: list[Entry] = []
        refused: Counter[str] = Counter()
        chosen, lowest, found = None, float("inf"), 0
        while found < CANDIDATES and (entry := self._pop(away)) is not None:
            tried.append(entry)
            extra = judge(entry[2])
            if isinstance(extra, str):
                refused[extra] += 1
                continue
            found += 1
            if entry[0] + extra < lowest:
                chosen, lowest = entry[2], entry[0] + extra
            if self._heap and self._heap[0][0] + least >= lowest:
                break
        for entry in tried:
            heappush(self._heap, entry)
        return chosen if chosen is not None else self._out + refused

    def none(self, why: str, *, away: Collection[str]) -> Counter[str]:
        """As `best`, of a pod for which every node with room has the same fault."""
        while self._left:
            self._extend(away)
        return self._out + Counter({why: len(self._heap)})

    @property
    def full(self) -> bool:
        """Whether every node was looked at, and none has room for this shape whatever runs there."""
        return not self._heap and not self._left

    def _pop(self, away: Collection[str]) -> Entry | None:
        """The node that costs least now. What costs more than when it was put there goes back first."""
        while self._heap or self._extend(away):
            entry = heappop(self._heap)
            cost, name, node = entry
            if name in away:
                self._out[UNSCHEDULABLE] += 1
                continue
            now = self._cost(node)
            if now is not None and now <= cost + SLIGHT:
                return entry
            if now is not None:
                heappush(self._heap, (now, name, node))
        return None

    def _extend(self, away: Collection[str]) -> bool:
        """Find more nodes with room. False when there are none left."""
        eligible, more = self._eligible, 0
        while self._left and more < AT_ONCE:
            index = self._next
            self._next = index + 1 if index + 1 < len(eligible.nodes) else 0
            self._left -= 1
            node = eligible.nodes[index]
            before, after = (UNSCHEDULABLE, "") if node.name in away else eligible.refusals(index)
            if before:
                self._out[before] += 1
            elif (cost := self._cost(node)) is None:
                continue
            elif after:
                self._out[after] += 1
            else:
                heappush(self._heap, (cost, node.name, node))
                more += 1
        return more > 0

    def _cost(self, node: NodeRow) -> float | None:
        """None when it has no room: then it is counted out."""
        room, asked = self._rooms[node.name], self._pod.requests
        if self._pod.scheduling.host_ports and self._rooms.ports_taken(self._pod, node.name):
            self._out[PORTS] += 1
            return None
        if not room.holds(asked):
            self._out.update(room.lacking(asked))
            return None
        return room.load(asked) + self._eligible.dislikes.get(node.name, 0.0)
