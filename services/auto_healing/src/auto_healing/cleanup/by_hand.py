"""Cleanup for a person: what a rule finds and a run would take now, and that run. Phases and guards are the same."""

from collections.abc import Callable
from dataclasses import dataclass

from auto_healing.actions.cleanup import CLEANUP_BY_CODE
from auto_healing.cleanup.cleaner import Proposing, Scan
from auto_healing.cleanup.looking import look_for
from auto_healing.cleanup.planning import plans_of
from auto_healing.kube.cluster import Cluster
from auto_healing.plan import Mode
from auto_healing.storage.proposing import Answer, Proposal
from auto_healing.storage.tombstones import Tombstones
from auto_healing.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """Any replica may do it: nothing here writes to the cluster."""

    tombstones: Tombstones
    runs: Proposing
    cluster: Cluster
    world: Callable[[], World]

    async def preview(self, code: str) -> Scan:
        """What a look finds and what a run would take now. Raises KeyError for no rule, KubeErrors, DatabaseError."""
        rule, world = CLEANUP_BY_CODE[code], self.world()
        stones = await self.tombstones.of(code)
        found = await look_for(rule, world, self.cluster, {stone.ref.uid: stone for stone in stones})
        uids = {each.ref.uid for each in found.candidates}
        left = tuple(stone for stone in stones if stone.ref.uid in uids)
        due = [stone for stone in left if stone.due_at is not None and stone.told]
        plans = plans_of(rule, due, world, total=found.total, mode=Mode.AUTO, by_hand=True) if due else []
        return Scan(found=found, stones=left, plans=tuple(plans))

    async def run(self, code: str, *, by: str, reason: str) -> list[Answer]:
        """Propose a run of what is due and was told to its owners; none when nothing is."""
        scan = await self.preview(code)
        proposals = [Proposal(plan=plan, requested_by=by, reason=reason) for plan in scan.plans]
        return await self.runs.propose(proposals, epoch=None) if proposals else []
