"""Whom a run can have harmed, beside its target. Pure.

Not whoever happens to fail at the same time: what is taken off a node leaves its neighbours there no worse off.
"""

from dataclasses import dataclass

from auto_healing.run import Run
from common.cluster.rows import NodeRow, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding, ObjectKey

# What a pod that arrives can do to those that were there: take room. All else that begins there has other causes;
# a container that is killed at its own limit has, too.
_CROWDED = frozenset({"node-disk-pressure", "node-memory-pressure", "node-pid-pressure", "pod-evicted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Its workload; whom the same PodDisruptionBudgets count; whom its pods came to; who came to its node."""

    run: Run
    snapshot: ClusterSnapshot
    budgets: frozenset[ObjectKey]
    joined: frozenset[str]  # nodes on which pods of its workload were made since, and had not been before

    @classmethod
    def of(cls, run: Run, snapshot: ClusterSnapshot) -> "Reach":
        pods = snapshot.pods_of(run.place.owner)
        return cls(
            run=run,
            snapshot=snapshot,
            budgets=frozenset(pdb.key for pod in pods for pdb in snapshot.pdbs_of(pod)),
            joined=frozenset(pod.node for pod in pods if is_made_since(pod, run)) - {"", run.place.node}
            if run.place.node
            else frozenset(),  # a rollout takes no more room than before; it left no node for another
        )

    def holds(self, finding: Finding) -> bool:
        """Whether what began since the run did may be its doing."""
        key = finding.object.key
        row = self.snapshot.find(key)
        if is_of_owner(self.run, key, self.snapshot):
            return True
        if isinstance(row, NodeRow):
            return row.name in self.joined and finding.code in _CROWDED
        if not isinstance(row, PodRow):
            return False
        crowded = row.node in self.joined and finding.code in _CROWDED
        return crowded or self._shares_budget(row) or self._was_let_in(row)

    def _shares_budget(self, pod: PodRow) -> bool:
        return bool(self.budgets) and any(pdb.key in self.budgets for pdb in self.snapshot.pdbs_of(pod))

    def _was_let_in(self, pod: PodRow) -> bool:
        """Whether it came to the node that is the run's target, as after an uncordon."""
        target = self.run.plan.target
        return target.kind == "Node" and pod.node == target.name and is_made_since(pod, self.run)


def is_of_owner(run: Run, key: ObjectKey, snapshot: ClusterSnapshot) -> bool:
    """Whether an object is the run's owner, or belongs to it."""
    row = snapshot.find(key)
    return key == run.place.owner or (row is not None and snapshot.top_owner(row) == run.place.owner)


def is_made_since(pod: PodRow, run: Run) -> bool:
    """The API server's instants have whole seconds."""
    if pod.created_at is None or run.started_at is None or pod.deleted_at is not None or pod.finished:
        return False
    return pod.created_at >= run.started_at.replace(microsecond=0)
