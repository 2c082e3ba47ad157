"""What counts as a place for a topology spread: values of a label, on the nodes that it does not leave out."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from auto_healing.placement.filters import cordoned, selected, taint_refusal
from common.cluster.rows import NodeRow, PodRow, Spread

FEW = 100  # places, such as zones; not nodes


class Counted(NamedTuple):
    places: frozenset[str]
    nodes: frozenset[str] | None  # that pods are counted on; None: on all


class Places:
    """Found once for all pods that choose nodes alike. Nodes in `away` are still there, like any cordoned node."""

    def __init__(self, nodes: Mapping[str, NodeRow], away: Collection[str]) -> None:
        self._nodes = nodes
        self._away = away
        self._known: dict[tuple[object, ...], tuple[PodRow, Counted]] = {}

    def counted(self, pod: PodRow, rule: Spread) -> Counted:
        """Those that the emptiest place is looked for among."""
        return self._of(pod, rule.topology_key, by_choice=rule.heeds_affinity, by_taints=rule.heeds_taints)

    def open(self, pod: PodRow, rule: Spread) -> frozenset[str]:
        """Those with a node that the pod may choose."""
        return self._of(pod, rule.topology_key, by_choice=True, by_taints=True).places

    def forget(self) -> None:
        self._known.clear()

    def _of(self, pod: PodRow, key: str, *, by_choice: bool, by_taints: bool) -> Counted:
        scheduling = pod.scheduling
        selector = id(scheduling.node_selector) if scheduling.node_selector else 0
        kind = (key, by_choice, by_taints, pod.tolerations, selector, scheduling.node_terms)
        known = self._known.get(kind)
        if known is None:
            counted = self._count(pod, key, by_choice=by_choice, by_taints=by_taints)
            known = self._known[kind] = (pod, counted)  # the pod is kept, so that nothing takes on the identity
        return known[1]

    def _count(self, pod: PodRow, key: str, *, by_choice: bool, by_taints: bool) -> Counted:
        nodes = [
            node
            for node in self._nodes.values()
            if (not by_choice or selected(pod.scheduling, node)) and (not by_taints or self._welcomes(node, pod))
        ]
        names = None if len(nodes) == len(self._nodes) else frozenset(node.name for node in nodes)
        return Counted(frozenset(node.labels[key] for node in nodes if key in node.labels), names)

    def _welcomes(self, node: NodeRow, pod: PodRow) -> bool:
        return not (cordoned(pod, node, taken_away=node.name in self._away) or taint_refusal(pod, node))
