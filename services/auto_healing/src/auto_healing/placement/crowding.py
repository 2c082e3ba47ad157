"""What speaks against a node for being near pods of the same controller: the scheduler's default PodTopologySpread."""

from collections.abc import Collection

from auto_healing.placement.neighbours import Kin
from common.cluster.rows import NodeRow

SPREAD_WEIGHT = 2.0  # against 1 of a node's load: the scheduler's default
FEW = 20  # zones; where there are more, looking for the emptiest costs more than it spares


class Crowding:
    """For one pod, from 0 to 3, and never less than `least` on a node of the zones that are open to pods."""

    __slots__ = ("_kin", "_total", "least")

    def __init__(self, kin: Kin | None, open_zones: Collection[str]) -> None:
        self._kin = kin
        self._total = sum(kin.zones.values()) if kin else 0
        self.least = 0.0
        if kin and self._total and len(open_zones) <= FEW:
            self.least = min((kin.zones.get(zone, 0) for zone in open_zones), default=0) / self._total

    def on(self, node: NodeRow) -> float:
        kin = self._kin
        if not kin or not self._total:
            return 0.0
        here = kin.nodes.get(node.name, 0)
        return SPREAD_WEIGHT * here / (1 + here) + kin.zones.get(node.zone, 0) / self._total
