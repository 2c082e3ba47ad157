"""What must hold at every moment. Reckoned from the cluster itself, and not by the guards that are to see to it."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from tests.support.simulation.watch import Watch

from auto_healing.fault import Fault
from auto_healing.guards import GUARDS_BY_CODE
from auto_healing.looks import LOOK_EVERY, Looks
from auto_healing.marks import CORDONED_BY, HEAL
from auto_healing.place import pool_of
from auto_healing.plan import Decline, Harm, Plan, Step
from auto_healing.run import Run, RunState
from auto_healing.world import World
from common.cluster.rows import (
    DeploymentRow,
    NamespaceRow,
    NodeRow,
    PodDisruptionBudgetRow,
    PodRow,
    Row,
    StatefulSetRow,
)
from common.contracts import ObjectKey

# Who may say no, beside the guards.
OTHERS = frozenset(
    {"policy", "target", "action", "cleanup", "call-a-human", "one-run-per-target", "backlog", "precondition", "place"}
)
# Guards that count or wait: their numbers have to be told.
COUNTING = frozenset(
    {"grace", "cooldown", "attempts", "loop", "disruption-budget", "unhealthy-ratio", "storm", "rate-limit"}
)
ENTRIES = frozenset({RunState.APPROVED, RunState.RUNNING})


class Invariants(Watch):
    """What is told to it by those who decide and those who write."""

    # --- decisions

    def decided(self, plan: Plan, declined: Sequence[Decline]) -> None:
        """Every no is an answer."""
        self.counts["decisions"] += 1
        for each in declined:
            self.counts[f"declined by {each.guard}"] += 1
            self.check(each.guard in GUARDS_BY_CODE or each.guard in OTHERS, f"{each.guard} is nobody who may decline")
            self.check(bool(each.message), f"{each.guard} declined {plan.target.key} without a word")
            self.check("broke" not in each.message or "guard" not in each.message, each.message)
            if each.guard in COUNTING:
                self.check(bool(each.numbers), f"{each.guard} declined {plan.target.key} without numbers")
            if each.look_again_at is not None:
                self.check(each.look_again_at > self.now, f"{each.guard} is to be looked at again in the past")
        self.check(bool(declined) or bool(plan.steps), f"nothing was said of {plan.target.key}")

    def allowed(self, run: Run, world: World) -> None:
        (step,) = run.plan.steps
        self.note(f"{step.action} of {run.plan.target.key} is allowed ({run.plan.rule}, rung {run.plan.rung})")
        others = [each for each in self.active.values() if each.id != run.id]
        held = {each.plan.target.key for each in others}
        self.check(run.plan.target.key not in held, f"two runs on {run.plan.target.key}")

    # --- the ledger

    def recorded(self, run: Run) -> None:
        self.ledger[run.id].append(run.state)
        if run.state.ended:
            self.active.pop(run.id, None)
        else:
            self.active[run.id] = run

    def ended(self, run: Run) -> None:
        self.counts[str(run.state)] += 1
        self.note(f"{run.plan.steps[0].action} of {run.plan.target.key}: {run.state}, {run.reason}")
        del self.ledger[run.id]

    def _is_recorded(self, run: Run) -> bool:
        return set(self.ledger.get(run.id, ())) >= ENTRIES

    # --- before a step

    def begins(self, run: Run, world: World) -> None:
        """A step is about to be done, by what can be known at this instant."""
        (step,) = run.plan.steps
        self.note(f"{step.action} of {run.plan.target.key} begins")
        self.counts[f"began {step.action}"] += 1
        self.check(self._is_recorded(run), f"{step.action} of {run.plan.target.key} begins unrecorded")
        if step.harm is Harm.HARMFUL:
            self._not_paused(run, world)
            self._not_blind(world)
            self._no_zone_outage(run, world.snapshot)
            self._within_budget(run, world.snapshot)
            self._not_too_often(run)
            self._not_again_so_soon(run, step)

    # --- each write

    def writes(self, run: Run, step: Step, row: Row) -> None:
        """An object is written to, or taken away, by a run."""
        self.counts["writes"] += 1
        self.check(self._is_recorded(run), f"{step.action} writes to {row.key} unrecorded")
        settings = self.settings.protected
        self.check(row.namespace not in settings.namespaces, f"{step.action} touches {row.key}, which is protected")
        control = isinstance(row, NodeRow) and any("control-plane" in label for label in row.labels)
        self.check(not control, f"{step.action} touches the control plane: {row.key}")
        self.check(self._opted(row) != "off", f"{step.action} touches {row.key}, which has opted out")
        critical = isinstance(row, PodRow) and row.priority_class in settings.priority_classes
        self.check(not critical, f"{step.action} touches {row.key}, which is critical")

    def _opted(self, row: Row) -> str:
        namespace = self.cluster.store.get(NamespaceRow, row.namespace) if row.namespace else None
        above = [self.cluster.store.find(key) for key in self.cluster.store.owners(row)]
        said = [each.labels.get(HEAL) for each in (row, *above, namespace) if each is not None]
        return next((each for each in said if each == "off"), "")

    def evicted(self, run: Run, pod: PodRow, before: Sequence[tuple[PodDisruptionBudgetRow, int]]) -> None:
        for budget, healthy in before:
            left = healthy - (1 if pod.ready and pod.deleted_at is None else 0)
            fine = left >= budget.desired_healthy or not pod.ready
            self.check(fine, f"the eviction of {pod.key} leaves {left} of the {budget.desired_healthy} of {budget.key}")

    def lifts(self, row: Row, people: Collection[str]) -> None:
        mine = CORDONED_BY in row.annotations and row.name not in people
        self.check(mine, f"the cordon of {row.key} is lifted, which is a person's")

    # --- at every moment

    def after_event(self) -> None:
        targets = Counter(run.plan.target.key for run in self.active.values())
        twice = [key for key, count in targets.items() if count > 1]
        self.check(not twice, f"two active runs on {twice}")
        nodes = [
            node
            for run in self.active.values()
            if run.plan.target.kind == "Node" and run.state in {RunState.RUNNING, RunState.VERIFYING}
            if run.plan.steps[0].harm is Harm.HARMFUL and (node := self.cluster.node(run.plan.target.name)) is not None
        ]
        self._not_too_many(nodes)

    def _not_too_many(self, worked_on: Sequence[NodeRow]) -> None:
        if len(worked_on) < 2:
            return
        budget, rows = self.settings.disruption_budget, self.cluster.store.rows(NodeRow)
        sizes = Counter(pool_of(node) for node in rows.values())
        for zone, count in Counter(node.zone for node in worked_on).items():
            self.check(count <= budget.nodes_per_zone, f"{count} nodes of zone {zone} are worked on at once")
        for pool, count in Counter(pool_of(node) for node in worked_on).items():
            most = max(1, int(budget.pool_ratio * sizes[pool] + 1e-9))
            self.check(count <= most, f"{count} nodes of pool {pool} are worked on at once")
        most = max(1, int(budget.cluster_ratio * len(rows) + 1e-9))
        self.check(len(worked_on) <= most, f"{len(worked_on)} nodes of the cluster are worked on at once")

    def every_finding_has_an_answer(self, faults: Sequence[Fault], looks: Looks) -> None:
        """Why is node-7 still broken? Whatever is open was decided about, lately enough."""
        answered = {seen[0] for look in looks for seen in look.seen}
        for fault in faults:
            for finding in fault.findings:
                self.check(finding.key in answered, f"nobody says why {finding.object.key} is still {finding.code}")
            look = looks.last(fault.key)
            late = self.now - look.again_at if look else timedelta()
            self.check(late <= LOOK_EVERY, f"{fault.subject} was to be looked at again {late} ago")

    def every_fault_has_an_answer(self, faults: Sequence[Fault], looks: Looks) -> None:
        """Those that had none before the last look."""
        for fault in faults:
            known = looks.last(fault.key) is not None
            self.check(known, f"nobody says why {fault.subject} is still broken ({fault.level})")

    def all_is_well(self, changes: Collection[Any]) -> None:
        """Long after the last cause is gone."""
        store = self.cluster.store
        for node in store.rows(NodeRow).values():
            self.check(
                not (node.unschedulable and CORDONED_BY in node.annotations), f"{node.name} stays cordoned by us"
            )
            self.check(node.ready, f"{node.name} is not ready")
            avoided = any(taint.key.startswith("k8s-health-checker") for taint in node.taints)
            self.check(not avoided, f"{node.name} stays avoided")
        for key, row in _workloads(store):
            self.check(not row.paused, f"{key} stays paused")
            self.check(row.ready_replicas == row.replicas, f"{key} has {row.ready_replicas} of {row.replicas} ready")
        self.check(not self.active, f"runs go on: {[run.plan.target.key for run in self.active.values()]}")
        self.check(not changes, f"changes are still leased: {changes}")


def _workloads(store: Any) -> list[tuple[ObjectKey, Any]]:
    return [*store.rows(DeploymentRow).items(), *store.rows(StatefulSetRow).items()]
