"""Uncordon a node that this product cordoned."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from auto_healing.actions.action import Doing, Outcome, Permission, Preview, Result
from auto_healing.actions.nodes.cordoning import tried_again
from auto_healing.actions.nodes.cordons import cordon_in, cordon_of, patch_uncordoning
from auto_healing.actions.nodes.live import of_kind
from auto_healing.actions.nodes.parameters import only_known, truth
from auto_healing.plan import Harm, Parameters
from common.cluster.rows import NodeRow, Row
from common.cluster.snapshot import ClusterSnapshot

TAKE_OVER = "take_over"


class Uncordon:
    """Lifts our own cordons. One of somebody else takes `take_over`, and a person who approved the run."""

    code: ClassVar[str] = "uncordon"
    title: ClassVar[str] = "Uncordon a node that was cordoned by a run"
    harm: ClassVar[Harm] = Harm.RESTORING
    kinds: ClassVar[frozenset[str]] = frozenset({"Node"})
    expects: ClassVar[str] = "New pods are put on the node."
    undoable: ClassVar[str] = ""
    permissions: ClassVar[tuple[Permission, ...]] = (Permission(group="", resource="nodes", verbs=("get", "patch")),)
    parameters: ClassVar[Mapping[str, str]] = {
        TAKE_OVER: "true lifts the cordon of somebody else too, in a run that a person approved; false unless said"
    }

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: datetime) -> Preview:
        only_known(parameters, self.parameters)
        take_over = truth(parameters, TAKE_OVER)
        node = of_kind(NodeRow, target)
        found = cordon_in(node)
        if not found.cordoned:
            return Preview(refusal=f"{node.name} is not cordoned")
        if found.foreign and not take_over:
            return Preview(refusal=_not_ours(node.name, found.foreign))
        return Preview(changes=(f"{node.name} takes new pods again",), expected_seconds=1)

    async def apply(self, doing: Doing) -> Outcome:
        return await tried_again(lambda: self._apply(doing))

    async def _apply(self, doing: Doing) -> Outcome:
        target = doing.step.target
        node = await doing.cluster.read(target)
        found = cordon_of(node) if node is not None else None
        if node is None or found is None or not found.cordoned:
            return Outcome(result=Result.ALREADY, message=f"{target.name} is not cordoned")
        if found.foreign and not (doing.approved and truth(doing.step.parameters, TAKE_OVER)):
            return Outcome(result=Result.FAILED, message=_not_ours(target.name, found.foreign))
        await doing.cluster.patch(target, patch_uncordoning(), resource_version=node["metadata"]["resourceVersion"])
        return Outcome(result=Result.DONE, message=f"{target.name} takes pods again")

    async def undo(self, doing: Doing, outcome: Outcome) -> Outcome:
        return Outcome(result=Result.FAILED, message="an uncordon is not undone; cordon the node again if it must be")


def _not_ours(name: str, foreign: str) -> str:
    return f"{name} was cordoned by {foreign}; it takes a person's approval and {TAKE_OVER}: true to lift that"
