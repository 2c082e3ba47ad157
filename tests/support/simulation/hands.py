"""What each action does to a simulated cluster. Asked again and again until it is over, as after a crash."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.support.simulation.cluster import serving
from tests.support.simulation.leases import Leases

from auto_healing.actions.action import Outcome, Result
from auto_healing.actions.nodes.cordons import (
    PATH,
    cordon_in,
    cordon_of,
    patch_cordoning,
    patch_uncordoning,
)
from auto_healing.actions.nodes.departure import departure
from auto_healing.actions.nodes.reschedule import needs_fencing
from auto_healing.actions.nodes.sickness import recovered, sick_conditions, unreachable
from auto_healing.actions.nodes.taints import AVOID
from auto_healing.actions.nodes.taints import path_of as path_of_taint
from auto_healing.actions.rollouts.former import replica_sets_of
from auto_healing.actions.rollouts.healthy import last_healthy
from auto_healing.marks import CORDONED_BY, OWNED_BY_RUN, ROLLED_BACK_FROM
from auto_healing.plan import Step
from auto_healing.run import Run
from common.cluster.rows import DeploymentRow, PodRow, StatefulSetRow, Taint

CORDONED_FOR, AVOIDED_FOR, PAUSED_FOR = timedelta(hours=4), timedelta(hours=4), timedelta(hours=4)
SERVED = timedelta(hours=1)
PARALLEL = 10


class Hands(Leases):
    """Whatever is written is told to the invariants."""

    def apply(self, run: Run) -> Outcome | None:
        """The outcome, or None while it goes on."""
        (step,) = run.plan.steps
        outcome = getattr(self, "_" + step.action.replace("-", "_"))(run, step)
        late = run.started_at is not None and self.now >= run.started_at + step.timeout
        if outcome is None and late:
            return self._out_of_time(run, step)
        return outcome  # type: ignore[no-any-return]

    def _out_of_time(self, run: Run, step: Step) -> Outcome:
        inverse: dict[str, Any] = {}
        if step.action == "roll-back":
            inverse = {"left": self._left(run)}
        elif held := self._held_by(run):
            inverse = {"change": str(held.id)}
        return Outcome(result=Result.BLOCKED, message="the time is over", inverse=inverse)

    # --- nodes

    def _cordon(self, run: Run, step: Step) -> Outcome:
        node = self.cluster.node(step.target.name)
        if node is None:
            return Outcome(result=Result.ALREADY, message="it is gone")
        found = cordon_of(self.manifest(node))
        if found.foreign:
            return Outcome(result=Result.FAILED, message=f"cordoned by {found.foreign}")
        what = f"cordoned: {step.reason}"
        lease = self._lease(run, step.target, what, PATH, after=True, lasts=CORDONED_FOR)
        if not found.cordoned:
            until = self.changes[lease].change.until
            patch = patch_cordoning(mark=f"{run.id}/0", reason="simulated", until=until, causes=sick_conditions(node))
            self.invariants.writes(run, step, node)
            self.patch(node, patch)
        return Outcome(result=Result.DONE, message="cordoned", inverse={"change": str(lease)})

    def _drain(self, run: Run, step: Step) -> Outcome | None:
        node = self.cluster.node(step.target.name)
        if node is None:
            return Outcome(result=Result.ALREADY, message="it is gone")
        mine = cordon_in(node)
        begun = any(each.run_id == run.id for each in self.changes.values())
        if begun and not node.unschedulable and CORDONED_BY in node.annotations:
            return Outcome(result=Result.ALREADY, message="somebody has uncordoned it")
        cordoned = self._cordon(run, step)
        if cordoned.result is Result.FAILED:
            return cordoned
        if mine.cordoned and recovered(node, mine.causes):
            self._uncordon(run)
            return Outcome(result=Result.ALREADY, message="it has recovered")
        leaving = departure(self.cluster.store.pods_on(node.name))
        if not leaving.pods:
            return replace(cordoned, message="it is drained")
        wave = [pod for pod in leaving.waves[0] if pod.deleted_at is None]
        for pod in wave[:PARALLEL]:
            self._evicts(run, step, pod)
        return None

    def _uncordon(self, run: Run, step: Step | None = None) -> Outcome:
        node = self.cluster.node(run.plan.target.name)
        if node is not None and cordon_of(self.manifest(node)).mark == f"{run.id}/0":
            self.patch(node, patch_uncordoning())
        self._release(run)
        return Outcome(result=Result.DONE, message="it takes pods again")

    def _reschedule_from_node(self, run: Run, step: Step) -> Outcome:
        node = self.cluster.node(step.target.name)
        if node is None or not unreachable(node):
            return Outcome(result=Result.ALREADY, message="it is heard of, or gone")
        leaving = [pod for pod in departure(self.cluster.store.pods_on(node.name)).pods if pod.owner is not None]
        for pod in leaving:
            if not needs_fencing(pod) and pod.deleted_at is None:
                self.invariants.writes(run, step, pod)
                self.cluster.delete(pod)
        if any(needs_fencing(pod) for pod in leaving):
            return Outcome(result=Result.BLOCKED, message="nothing proves that it is off")
        return Outcome(result=Result.DONE, message="they are made anew elsewhere")

    # --- pods

    def _delete_pod(self, run: Run, step: Step) -> Outcome:
        pod = self._target_pod(step)
        if pod is not None:
            self.invariants.writes(run, step, pod)
            self.cluster.delete(pod)
        return Outcome(result=Result.DONE, message="deleted")

    def _evict_pod(self, run: Run, step: Step) -> Outcome | None:
        pod = self._target_pod(step)
        if pod is None:
            return Outcome(result=Result.ALREADY, message="it is gone, or going")
        if self._evicts(run, step, pod):
            return None
        return Outcome(result=Result.DONE, message="evicted")

    def _move_pod(self, run: Run, step: Step) -> Outcome | None:
        pod = self._target_pod(step)
        if pod is None:
            return Outcome(result=Result.ALREADY, message="it is gone, or going")
        node = self.cluster.node(pod.node)
        if node is None:
            return Outcome(result=Result.FAILED, message="its node is not known")
        path = path_of_taint(AVOID)
        lease = self._lease(run, node.key.ref(node.uid), "avoided", path, after=dict(AVOID), lasts=AVOIDED_FOR)
        if not any(taint.key == AVOID["key"] for taint in node.taints):
            self.cluster.put(node, taints=(*node.taints, Taint(key=AVOID["key"], effect=AVOID["effect"])))
        if self._evicts(run, step, pod):
            return None
        return Outcome(result=Result.DONE, message="moved", inverse={"change": str(lease)})

    def _target_pod(self, step: Step) -> PodRow | None:
        pod = self.cluster.pod(step.target.uid, step.target.key)
        return None if pod is None or pod.deleted_at is not None or pod.finished else pod

    def _evicts(self, run: Run, step: Step, pod: PodRow) -> Sequence[str]:
        """By the Eviction API, which alone knows what the budgets allow."""
        before = [(budget, budget.current_healthy) for budget in self.cluster.store.pdbs_of(pod)]
        blocked = self.cluster.evict(pod)
        if not blocked:
            self.invariants.writes(run, step, pod)
            self.invariants.evicted(run, pod, before)
        return blocked

    # --- rollouts

    def _restart_rollout(self, run: Run, step: Step) -> Outcome | None:
        row = self.cluster.store.find(step.target.key)
        if isinstance(row, StatefulSetRow):
            return self._restart_one_by_one(run, step, row)
        return self._rolls(run, step, row, lambda found: "")

    def _restart_one_by_one(self, run: Run, step: Step, row: StatefulSetRow) -> Outcome | None:
        pods = serving(self.cluster.store.pods_of(row.key))
        old = [pod for pod in pods if pod.created_at is None or pod.created_at < (run.started_at or self.now)]
        if not old and row.ready_replicas >= row.replicas:
            return Outcome(result=Result.DONE, message="restarted")
        unready = [pod for pod in pods if not pod.ready]
        if old and len(pods) == row.replicas and (not unready or unready[0] in old):
            pod = unready[0] if unready else old[-1]
            self.invariants.writes(run, step, pod)
            self.cluster.delete(pod)
        return None

    def _roll_back(self, run: Run, step: Step) -> Outcome | None:
        def healthy(row: DeploymentRow) -> str | None:
            to = last_healthy(replica_sets_of(row, self.cluster.store), served=SERVED)
            return None if to is None else to.revision.name.rpartition("-")[2]

        row = self.cluster.store.find(step.target.key)
        left = self._left(run) or self.controllers.deployments[step.target.key].newest
        outcome = self._rolls(run, step, row, healthy, {ROLLED_BACK_FROM: left})
        return None if outcome is None else replace(outcome, inverse={"left": left} if self._left(run) else {})

    def _rolls(self, run: Run, step: Step, row: Any, to: Any, marks: Mapping[str, str] | None = None) -> Outcome | None:
        """To another revision, unless an earlier try did, and until all pods are of it."""
        if not isinstance(row, DeploymentRow):
            return Outcome(result=Result.ALREADY, message="it is gone")
        if row.annotations.get(OWNED_BY_RUN) == f"{run.id}/0":
            own = self.controllers.deployments[row.key]
            return None if own.rolling else Outcome(result=Result.DONE, message="it is rolled out")
        revision = to(row)
        if revision is None:
            return Outcome(result=Result.FAILED, message="no former revision is known to have been healthy")
        self.invariants.writes(run, step, row)
        before = self.controllers.deployments[row.key].newest
        annotations = {**row.annotations, OWNED_BY_RUN: f"{run.id}/0", **(marks or {})}
        self._patch_template(row, revision, before, annotations)
        return None

    def _patch_template(self, row: DeploymentRow, revision: str, before: str, annotations: Mapping[str, str]) -> None:
        made = self.controllers.roll_out(row.key, revision, annotations=annotations)
        ailing = self.controllers.kubelets.ailments.revisions
        if not revision and before in ailing:  # restarted: the same template fails as before
            ailing.add(made)

    def _left(self, run: Run) -> str:
        row = self.cluster.store.find(run.plan.target.key)
        mine = row is not None and row.annotations.get(OWNED_BY_RUN) == f"{run.id}/0"
        return row.annotations.get(ROLLED_BACK_FROM, "") if row is not None and mine else ""

    def _pause_rollout(self, run: Run, step: Step) -> Outcome:
        row = self.cluster.store.get(DeploymentRow, step.target.name, step.target.namespace)
        if row is None:
            return Outcome(result=Result.ALREADY, message="it is gone")
        ours = row.annotations.get(OWNED_BY_RUN) == f"{run.id}/0"
        if row.paused and not ours:
            return Outcome(result=Result.FAILED, message="paused by somebody else")
        lease = self._lease(run, step.target, "paused", ("spec", "paused"), after=True, lasts=PAUSED_FOR)
        if not ours:
            self.invariants.writes(run, step, row)
            self.cluster.put(row, paused=True, annotations={**row.annotations, OWNED_BY_RUN: f"{run.id}/0"})
            self.cluster.touched[row.key] = None
        return Outcome(result=Result.DONE, message="paused", inverse={"change": str(lease)})

    # --- undo

    def undo(self, run: Run, outcome: Outcome | None) -> bool:
        """Whether something was taken back."""
        (step,) = run.plan.steps
        if step.action in {"cordon", "drain"}:
            return self._uncordon(run).result is Result.DONE
        if step.action == "roll-back" and (left := self._left(run)):
            row = self.cluster.store.get(DeploymentRow, step.target.name, step.target.namespace)
            own = self.controllers.deployments[step.target.key]
            if row is not None and left in own.wanted:
                kept = {key: value for key, value in row.annotations.items() if key != OWNED_BY_RUN}
                self.controllers.roll_out(row.key, left, annotations=kept)
                return True
        held = self._held_by(run)
        if held is None:
            return False
        self._settle(held, "undone", [])
        return True
