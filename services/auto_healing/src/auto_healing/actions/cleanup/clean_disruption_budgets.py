"""PodDisruptionBudgets that select nothing: they protect nobody, and confuse whoever reads them."""

from typing import ClassVar

from auto_healing.actions.action import Permission
from auto_healing.actions.cleanup.engine import Cleanup, permissions_on
from auto_healing.actions.cleanup.rule import Found, Look, candidate
from auto_healing.actions.cleanup.settings import RuleSettings
from auto_healing.actions.cleanup.workloads import templates_selected
from common.cluster.rows import PodDisruptionBudgetRow, PodRow


class CleanDisruptionBudgets(Cleanup):
    code: ClassVar[str] = "clean-disruption-budgets"
    title: ClassVar[str] = "Delete PodDisruptionBudgets that select no pod and no workload"
    kind: ClassVar[str] = "PodDisruptionBudget"
    permissions: ClassVar[tuple[Permission, ...]] = permissions_on("PodDisruptionBudget")
    settings: ClassVar[type[RuleSettings]] = RuleSettings

    async def find(self, look: Look) -> Found:
        pdbs = [pdb for pdb in look.snapshot.rows(PodDisruptionBudgetRow).values() if look.covers(pdb)]
        idle = [
            pdb
            for pdb in pdbs
            if look.knows(PodRow) and not look.snapshot.pods_selected(pdb)
            if look.older(look.settings.min_age, pdb.created_at)
        ]
        selected = await templates_selected(look, {pdb.key: pdb.selector for pdb in idle})
        found = [candidate(pdb, "selects no pod, and none that a workload would make") for pdb in idle
                 if pdb.key not in selected]  # fmt: skip
        return Found(candidates=tuple(found), total=len(pdbs))
