"""A small, honest model of kube-scheduler: on which node a pod would run, or why on none.

It knows resources and the usual devices such as GPUs, cordons, taints, node selectors and affinity, pod affinity and
anti-affinity, topology spread, ports of the host, and where volumes can be reached. It does not preempt, adds no nodes,
leaves the pods that are pending already out of account, and knows no device claims (DRA). So "fits nowhere" means: not
as things are.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from auto_healing.placement.crowding import Crowding
from auto_healing.placement.eligible import Eligible
from auto_healing.placement.filters import Kind, Shape, node_refusal, reach_refusal, shape_of
from auto_healing.placement.moves import Moves
from auto_healing.placement.neighbours import Neighbours
from auto_healing.placement.places import Places
from auto_healing.placement.reasons import GATED, PORTS, unavailable, unavailable_for_all
from auto_healing.placement.relations import SKEW, Relations, relations_of
from auto_healing.placement.rooms import Rooms
from auto_healing.placement.search import AT_ONCE, Judge, Search
from auto_healing.placement.volumes import Volumes
from common.cluster.rows import NodeRow, PodRow
from common.cluster.snapshot import ClusterSnapshot

SEARCHES_KEPT = 64  # of up to half a megabyte each in a cluster of 5,000 nodes
KINDS_KEPT = 256

Equals = tuple[Shape, str, int, int]  # shape, namespace, identities of labels and scheduling


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a pod fits nowhere. One that is equal to it does not either, until room grows or other pods move."""

    reason: str
    moves: int | None  # how many pods had moved then; None: it does not matter, as only room is wanting


class Scheduler:
    """Counts what has left and come since the snapshot. Use it before the snapshot changes, or over a copy of it."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._snapshot = snapshot
        self._nodes = {key.name: node for key, node in snapshot.rows(NodeRow).items()}
        self.moves = Moves(snapshot)
        self._rooms = Rooms(snapshot, self._nodes, self.moves)
        self._volumes = Volumes(snapshot, self.moves)
        self._neighbours = Neighbours(snapshot, self._nodes, self.moves)
        self._away: set[str] = set()
        self._start = 0
        self._order = tuple(self._nodes.values())
        self._eligible: dict[Kind, Eligible] = {}
        self._begin()

    def _begin(self) -> None:
        """With nothing found out yet about what other pods have to do with nodes."""
        self._places = Places(self._nodes, self._away)
        self._searches: dict[Shape, Search] = {}
        self._relations: dict[tuple[int, str, int], Relations] = {}
        self._unfit: dict[Equals, Unfit] = {}
        self._moved = 0
        self._open_zones: frozenset[str] | None = None  # not looked at yet

    def copy(self) -> "Scheduler":
        other = object.__new__(Scheduler)
        other._snapshot, other._nodes, other._order = self._snapshot, self._nodes, self._order
        other._eligible = self._eligible  # it is the same whatever moves
        other.moves = self.moves.copy()
        other._rooms = self._rooms.copy(other.moves)
        other._volumes = self._volumes.copy(other.moves)
        other._neighbours = self._neighbours.copy(other.moves)
        other._away, other._start = set(self._away), self._start
        other._begin()
        return other

    def take_away(self, nodes: Collection[str]) -> None:
        """Nothing is placed on these nodes any more."""
        if not self._away.issuperset(nodes):
            self._away.update(nodes)
            self._places.forget()
            self._relations.clear()
            self._open_zones = None
            self._unfit.clear()  # where an empty place counts no more, a spread is easier to keep

    def is_away(self, node: str) -> bool:
        return node in self._away

    def leave(self, pod: PodRow) -> None:
        """The pod is gone from its node."""
        self.moves.leave(pod)
        if not pod.node or pod.finished or pod.node not in self._nodes:
            return
        self._rooms.free(pod, pod.node)
        self._volumes.leave(pod)
        if pod.deleted_at is None:
            self._neighbours.move(pod, pod.node, -1)
        self._moved += 1
        if pod.node not in self._away:
            self._searches.clear()
            self._unfit.clear()

    def place(self, pod: PodRow) -> tuple[str, str]:
        """The node of the pod's replacement, which runs there from now on; or no node, and why."""
        if pod.scheduling.gates:
            return "", GATED
        reach = self._volumes.reach(pod)
        if reach.refusal:
            return "", unavailable_for_all(len(self._order), reach.refusal)
        shape = shape_of(pod, reach)
        equals = (shape, pod.namespace, id(pod.labels), id(pod.scheduling))
        known = self._unfit.get(equals) or self._unfit.get((shape, "", 0, 0))
        if known is not None and known.moves in {None, self._moved}:
            return "", known.reason
        relations = self._relations_of(pod)
        relations.look()
        search = self._search(shape, pod)
        if relations.hopeless:
            found: NodeRow | Counter[str] = search.none(SKEW, away=self._away)
        else:
            crowding = Crowding(self._neighbours.kin(pod), self._zones())
            found = search.best(_judge(relations, crowding), least=crowding.least, away=self._away)
        if isinstance(found, NodeRow):
            self._come(pod, found)
            return found.name, ""
        reason = unavailable(len(self._order), found)
        if search.full:
            self._unfit[shape, "", 0, 0] = Unfit(reason, None)
        else:
            self._unfit[equals] = Unfit(reason, self._moved)
        return "", reason

    def refusal(self, pod: PodRow, node: NodeRow) -> str:
        """Why the pod cannot run on the node now; empty when it can."""
        reach, relations = self._volumes.reach(pod), self._relations_of(pod)
        relations.look()
        ports = bool(pod.scheduling.host_ports) and self._rooms.ports_taken(pod, node.name)
        return (
            reach.refusal
            or node_refusal(pod, node, taken_away=node.name in self._away)
            or (PORTS if ports else "")
            or ", ".join(self._rooms[node.name].lacking(pod.requests))
            or reach_refusal(reach, node)
            or relations.refusal(node)
        )

    # --- inside

    def _come(self, pod: PodRow, node: NodeRow) -> None:
        self.moves.come(pod, node.name)
        self._rooms.take(pod, node.name)
        self._volumes.come(pod, node.name)
        self._neighbours.move(pod, node.name, 1)
        self._moved += 1

    def _zones(self) -> frozenset[str]:
        """Where pods may still be placed."""
        if self._open_zones is None:
            self._open_zones = frozenset(node.zone for node in self._order if node.name not in self._away)
        return self._open_zones

    def _relations_of(self, pod: PodRow) -> Relations:
        place = (id(pod.scheduling), pod.namespace, id(pod.labels))
        relations = self._relations.get(place)
        if relations is None or relations.known_repellers != self._neighbours.repellers:
            relations = relations_of(pod, self._neighbours, self._places)
            self._relations[place] = relations
        return relations

    def _search(self, shape: Shape, pod: PodRow) -> Search:
        search = self._searches.get(shape)
        if search is None:
            eligible = self._eligible.get(shape.kind)
            if eligible is None:
                _make_room(self._eligible, KINDS_KEPT)
                eligible = self._eligible[shape.kind] = Eligible(pod, shape.kind.reach, self._order)
            _make_room(self._searches, SEARCHES_KEPT)
            search = Search(eligible, pod, start=self._start, rooms=self._rooms)
            self._searches[shape] = search
            self._start += AT_ONCE
        return search


def _judge(relations: Relations, crowding: Crowding) -> Judge:
    if not relations:
        return crowding.on

    def judge(node: NodeRow) -> float | str:
        return relations.refusal(node) or crowding.on(node)

    return judge


def _make_room(kept: dict[Any, Any], limit: int) -> None:
    """The one that is there longest goes."""
    if len(kept) >= limit:
        del kept[next(iter(kept))]
