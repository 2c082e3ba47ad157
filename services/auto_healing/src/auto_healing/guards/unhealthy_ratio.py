"""When much is ill with the same trouble, the single node is not its cause."""

from datetime import timedelta
from typing import ClassVar

from auto_healing.facts import Facts
from auto_healing.guards.census import READY, Census
from auto_healing.guards.disruption_budget import worked_on_nodes
from auto_healing.guards.steps import census_of, conditions_of, node_of, tidies
from auto_healing.plan import Decline, Step
from common.cluster.rows import NodeRow

_AGAIN = timedelta(minutes=1)


class UnhealthyRatio:
    code: ClassVar[str] = "unhealthy-ratio"
    title: ClassVar[str] = "Is so much of the zone or pool unhealthy that the cause lies elsewhere?"
    looks_at: ClassVar[str] = (
        "The nodes of the target's zone, and of its pool, with the condition that the findings are about, or that are "
        "not ready. From 55 % of a zone on nothing harmful is done in it, to nodes or pods. From 40 % of a pool on its "
        "nodes are not repaired; in small pools they are, one at a time. The rule for zones holds there too: from "
        "three such nodes on that are 55 % of their zone, nothing is done in it, however small the pool."
    )
    stops_restoring: ClassVar[bool] = False

    def check(self, step: Step, facts: Facts) -> Decline | None:
        node = node_of(step, facts)
        if node is None or tidies(step):
            return None
        census, types = census_of(facts), conditions_of(facts) or {READY}
        for type_ in sorted(types | {READY}):
            if decline := self._zone(node, type_, census, facts):
                return decline
        if step.target.kind == "Node":
            for type_ in sorted(types):
                if decline := self._pool(node, type_, census, facts):
                    return decline
        return None

    def _zone(self, node: NodeRow, type_: str, census: Census, facts: Facts) -> Decline | None:
        settings, zone = facts.settings.unhealthy_ratio, census.members[node.name].zone
        bad, nodes = census.bad_in_zone[type_, zone], census.in_zone[zone]
        if not zone or bad < max(1, settings.zone_nodes) or bad < settings.zone_ratio * nodes:
            return None
        return self._hold(f"zone {zone}", type_, (bad, nodes), settings.zone_ratio, facts)

    def _pool(self, node: NodeRow, type_: str, census: Census, facts: Facts) -> Decline | None:
        settings, pool = facts.settings.unhealthy_ratio, census.members[node.name].pool
        bad, nodes = census.bad_in_pool[type_, pool], census.in_pool[pool]
        if bad == 0 or bad < settings.pool_ratio * nodes or _may_go_on(node, census, facts):
            return None
        return self._hold(f"pool {pool or '(none)'}", type_, (bad, nodes), settings.pool_ratio, facts)

    def _hold(self, where: str, type_: str, share: tuple[int, int], limit: float, facts: Facts) -> Decline:
        bad, nodes = share
        return Decline(
            guard=self.code,
            message=f"{bad} of {nodes} nodes of {where} have trouble with {type_}, {bad / nodes:.0%}: from {limit:.0%} "
            "on the cause is hardly the single node",
            numbers={
                "condition": type_,
                "unhealthy": bad,
                "nodes": nodes,
                "ratio": round(bad / nodes, 3),
                "limit": limit,
            },
            look_again_at=facts.now + _AGAIN,
        )


def _may_go_on(node: NodeRow, census: Census, facts: Facts) -> bool:
    """Whether the pool is small, and few enough of its nodes are worked on."""
    settings, pool = facts.settings.unhealthy_ratio, census.members[node.name].pool
    if census.in_pool[pool] > settings.small_pool:
        return False
    others = worked_on_nodes(facts, census, besides=node.name)
    return sum(1 for name in others if census.members[name].pool == pool) < settings.small_pool_repairs
