"""Which PodDisruptionBudgets forbid an eviction, counted down from pod to pod: as the Eviction API decides."""

from common.cluster.rows import PodDisruptionBudgetRow, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey


class Budgets:
    """https://kubernetes.io/docs/tasks/run-application/configure-pdb/"""

    def __init__(self, snapshot: ClusterSnapshot, spent: dict[ObjectKey, int] | None = None) -> None:
        self._snapshot = snapshot
        self._spent = spent or {}

    def copy(self) -> "Budgets":
        return Budgets(self._snapshot, dict(self._spent))

    def evict(self, pod: PodRow) -> tuple[str, ...]:
        """Names of the budgets that forbid it now. Several that select one pod forbid it for ever, all of them."""
        if asks_nobody(pod):
            return ()
        pdbs = self._snapshot.pdbs_of(pod)
        if len(pdbs) > 1:
            return tuple(sorted(pdb.name for pdb in pdbs))
        for pdb in pdbs:
            if not pod.ready and lets_unready_go(pdb):
                continue
            if pdb.observed_generation < pdb.generation or self.left(pdb) <= 0:
                return (pdb.name,)
            self._spent[pdb.key] = self._spent.get(pdb.key, 0) + 1
        return ()

    def left(self, pdb: PodDisruptionBudgetRow) -> int:
        """Evictions that it still allows."""
        return pdb.disruptions_allowed - self._spent.get(pdb.key, 0)

    def settle(self, pod: PodRow) -> None:
        """A replacement of the pod is ready."""
        for pdb in self._snapshot.pdbs_of(pod):
            if self._spent.get(pdb.key, 0) > 0:
                self._spent[pdb.key] -= 1


def asks_nobody(pod: PodRow) -> bool:
    """Whether the Eviction API lets it go whatever its budgets say: such a pod does no work yet, or no more."""
    return pod.phase == "Pending" or pod.finished or pod.deleted_at is not None


def lets_unready_go(pdb: PodDisruptionBudgetRow) -> bool:
    """Whether it lets pods go that are not ready, though it allows no disruption."""
    if pdb.unready_may_go:
        return True
    return pdb.desired_healthy > 0 and pdb.current_healthy >= pdb.desired_healthy
