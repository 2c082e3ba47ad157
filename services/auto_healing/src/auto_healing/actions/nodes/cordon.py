"""Cordon a node: no new pods are put there, and those that run go on."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview
from auto_healing.actions.nodes import cordoning
from auto_healing.actions.nodes.cordons import cordon_in
from auto_healing.actions.nodes.live import of_kind
from auto_healing.actions.nodes.parameters import LEASE_MINUTES, minutes, only_known
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import NodeRow, Row
from common.cluster.snapshot import ClusterSnapshot

LEASE = 240


def refusal_of_cordon(node: NodeRow) -> str:
    """Why this node is not ours to cordon; empty when it is."""
    if foreign := cordon_in(node).foreign:
        return f"{node.name} is cordoned already, by {foreign}; what another one cordoned is left alone"
    return ""


class Cordon:
    """Owned: marked with run, reason and end, and lifted by itself when the lease runs out or the cause is gone."""

    code: ClassVar[str] = "cordon"
    title: ClassVar[str] = "Cordon a node, with owner, reason and end written on it"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({"Node"})
    expects: ClassVar[str] = "No new pods are put on the node."
    undoable: ClassVar[str] = "The node is uncordoned, unless somebody else cordoned it meanwhile."
    permissions: ClassVar[tuple[Permission, ...]] = (Permission(group="", resource="nodes", verbs=("get", "patch")),)
    parameters: ClassVar[Mapping[str, str]] = {
        LEASE_MINUTES: f"minutes until it is lifted by itself, {LEASE} unless said otherwise, a week at most"
    }

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        until = now + minutes(parameters, LEASE_MINUTES, LEASE)
        node = of_kind(NodeRow, target)
        if refusal := refusal_of_cordon(node):
            return Preview(refusal=refusal)
        if node.unschedulable:
            return Preview(changes=(f"{node.name} stays cordoned, by run {cordon_in(node).mark}",))
        return Preview(changes=(f"{node.name} takes no new pods until {until:%Y-%m-%d %H:%M} UTC",), expected_seconds=1)

    async def apply(self, doing: Doing) -> Outcome:
        return await cordoning.cordon(doing, minutes(doing.step.parameters, LEASE_MINUTES, LEASE))

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        return await cordoning.uncordon(doing, outcome.inverse)
